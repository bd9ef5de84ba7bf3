// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/init_tests.h"

#include <optional>
#include <string>
#include <string_view>

#include "proto/net/spawn.h"
#include "tools/edged/doctor_machine.h"
#include "tools/edged/doctor_worker.h"
#include "tools/edged/init_dialog.h"
#include "tools/edged/init_settings.h"
#include "tools/edged/init_template.h"

namespace edged {
namespace {

namespace asio = boost::asio;
using doctor::Report;

// The configuration, if nothing is wrong with the keys of the named sections; else the complaints
// about them.
std::optional<config::Config> load_section(const InitDraft& draft,
                                           std::string_view section,
                                           Report& report) {
  const auto loaded = draft.load();
  if (!loaded) {
    report.error("configuration", loaded.error().message(), "see TMPDIR");
    return std::nullopt;
  }
  bool complete = true;
  for (const config::Complaint& error : loaded->errors) {
    // What stops the reading stands in no section of this step.
    if (!error.path.empty() && !error.path.starts_with(section)) continue;
    complete = false;
    report.error("configuration",
                 (error.path.empty() ? "" : error.path + ": ") + error.message,
                 "enter it again");
  }
  if (!complete) return std::nullopt;
  return loaded->config;
}

asio::awaitable<bool> ask_upstream_once(const config::Config& config, Report& report) {
  doctor::Question question;
  question.section = {"00000", "0000"};
  co_await doctor::check_upstream(config, std::move(question), report);
  co_return true;
}

asio::awaitable<bool> try_mail(const config::Config& config, Report& report) {
  co_await doctor::check_mail(config, report);
  co_return true;
}

void test_database(asio::io_context& io, InitDraft& draft, InitFacts& facts, Report& report) {
  const auto config = load_section(draft, "postgres", report);
  if (!config) return;
  facts.database = look_at_database(io, *config, report);
  if (facts.wants_mirror && facts.database.allows_mirror && draft.is_new() &&
      !draft.has("mirror")) {
    draft.set_json("mirror", kInitMirror);
  }
}

void test_upstream(asio::io_context& io, InitDraft& draft, InitFacts&, Report& report) {
  const auto config = load_section(draft, "upstream", report);
  if (!config) return;
  if (!config->worker.has_role(config::kRoleCron)) {
    report.note("upstream", "none: this worker runs no jobs");
    return;
  }
  if (config->upstream.url.empty()) {
    report.error("upstream", "there is no URL", "enter one, or none");
    return;
  }
  (void)net::run_until_done(io, ask_upstream_once(*config, report));
}

void test_mail(asio::io_context& io, InitDraft& draft, InitFacts&, Report& report) {
  const auto config = load_section(draft, "mail", report);
  if (config) (void)net::run_until_done(io, try_mail(*config, report));
}

void test_machine(asio::io_context&, InitDraft& draft, InitFacts&, Report& report) {
  const auto config = load_section(draft, "node", report);
  if (!config) return;
  doctor::check_node_disk(*config, report);
  doctor::check_directory({"disk", config->worker.state_dir, "worker.state_dir", 1 << 20, 64 << 20},
                          report);
}

bool ask_nothing(TerminalDialog&, InitDraft&, bool) {
  return true;
}

}  // namespace

const std::vector<InitStep>& init_steps() {
  static const std::vector<InitStep> steps{
      {"the database", "PostgreSQL", &ask_database, &test_database},
      {"the upstream", "Upstream", &ask_upstream, &test_upstream},
      {"mail", "Mail", &ask_mail, &test_mail},
      {"the directories", "Directories", &ask_nothing, &test_machine}};
  return steps;
}

}  // namespace edged
