// SPDX-License-Identifier: Apache-2.0
// edged init: from nothing to a configuration that was tried. Asks for what flags and the file do
// not say, tests each part at once, writes the file, migrates, creates the namespaces.
#include <pwd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "tools/edged/commands.h"
#include "tools/edged/doctor_report.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/init_database.h"
#include "tools/edged/init_dialog.h"
#include "tools/edged/init_draft.h"
#include "tools/edged/init_settings.h"
#include "tools/edged/init_tests.h"
#include "tools/edged/terminal_dialog.h"

namespace edged {
namespace {

using doctor::Report;

constexpr const char* kServiceUser = "_edged";

int fail(const Status& status) {
  log::print("edged init: " + status.message());
  return exit_code_of(status.code());
}

void say(const std::string& line) {
  std::printf("%s\n", printable_lines(line).c_str());
  std::fflush(stdout);
}

std::string owner_of(const InitSettings& settings) {
  if (!settings.owner.empty() || ::geteuid() != 0) return settings.owner;
  return ::getpwnam(kServiceUser) != nullptr ? kServiceUser : "";
}

int tell_missing(const std::vector<std::string>& flags) {
  std::string text =
      "edged init: this is not a terminal, or --yes was given, so nothing is asked. Missing:";
  for (const std::string& flag : flags) text += "\n  " + flag;
  log::print(text);
  return kExitUsage;
}

// One run of the command.
class Init {
 public:
  Init(const InitSettings& settings, InitDraft draft, bool interactive)
      : settings_(settings), draft_(std::move(draft)), interactive_(interactive) {
    facts_.wants_mirror = settings.mirror != "off";
  }

  int run();

 private:
  enum class Next { kOn, kAgain, kQuit };

  Next judge(const InitStep& step, const Report& report);
  bool run_step(const InitStep& step);
  std::optional<bool> may_write();
  int save();
  int prepare(const config::Config& config);
  void say_what_next(const config::Config& config) const;

  const InitSettings& settings_;
  InitDraft draft_;
  const bool interactive_;
  boost::asio::io_context io_{1};
  TerminalDialog dialog_;
  InitFacts facts_;
  bool namespaces_done_ = false;
  int exit_code_ = kExitDone;
};

// What follows a test.
Init::Next Init::judge(const InitStep& step, const Report& report) {
  for (const doctor::Finding& finding : report.findings()) {
    const std::string severity(doctor::severity_name(finding.severity));
    say("  " + severity + ": " + printable(finding.what));
    if (!finding.fix.empty()) say(std::string("    fix: ") + printable(finding.fix));
  }
  if (report.count(doctor::Severity::kError) == 0) return Next::kOn;
  if (settings_.accept_failures) return Next::kOn;
  if (!interactive_) {
    exit_code_ = kExitFailed;
    log::print("edged init: the test of " + std::string(step.name) +
               " failed and nothing was written. --accept-failures writes the file all the same");
    return Next::kQuit;
  }
  const auto answer = dialog_.ask("Enter it again, keep it as it is, or quit", "again");
  if (!answer || *answer == "quit" || *answer == "q") return Next::kQuit;
  return *answer == "keep" || *answer == "k" ? Next::kOn : Next::kAgain;
}

// False: the person gave up, or a test failed and nobody can be asked.
bool Init::run_step(const InitStep& step) {
  say(std::string("\n") + step.title);
  bool again = false;
  while (true) {
    if (interactive_ && !step.ask(dialog_, draft_, again)) {
      log::print("edged init: nothing was written");
      exit_code_ = kExitFailed;
      return false;
    }
    Report report;
    step.test(io_, draft_, facts_, report);
    switch (judge(step, report)) {
      case Next::kOn:
        return true;
      case Next::kAgain:
        again = true;
        break;
      case Next::kQuit:
        if (exit_code_ == kExitDone) exit_code_ = kExitFailed;
        if (interactive_) log::print("edged init: nothing was written");
        return false;
    }
  }
}

// Nothing: the input has ended.
std::optional<bool> Init::may_write() {
  if (draft_.is_new() || !draft_.changed()) return true;
  if (!interactive_) return settings_.yes;
  return dialog_.ask_yes(
      std::string("Change ") + draft_.path() + "? Other keys and comments in it stay", true);
}

int Init::save() {
  if (!draft_.is_new() && !draft_.changed()) {
    say(draft_.path() + " stays as it is");
    return kExitDone;
  }
  const auto written = draft_.save(owner_of(settings_));
  if (!written) return fail(written.error());
  for (const std::string& file : *written) say("wrote " + file + " (mode 0600)");
  return kExitDone;
}

// What a file alone does not do.
int Init::prepare(const config::Config& config) {
  bool app_schema = settings_.app_schema;
  if (facts_.database.needs_app_schema && !app_schema && interactive_) {
    app_schema =
        dialog_.ask_yes("The application has no tables there. Create them", false).value_or(false);
  }
  const auto migrated = migrate_for_init(io_, config, app_schema);
  if (!migrated) {
    log::print("edged init: could not migrate: " + migrated.error().message() +
               "\n  The file is written. Then run: edged migrate -c " + draft_.path());
    return exit_code_of(migrated.error().code());
  }
  for (const std::string& line : *migrated) say(line);
  const auto created = create_namespaces(config, owner_of(settings_));
  if (created) {
    namespaces_done_ = true;
    for (const std::string& line : *created) say("created " + line);
    return kExitDone;
  }
  log::print("edged init: could not create the namespaces: " + created.error().message());
  for (const config::KvNamespace& kv : config.kv_namespaces) {
    log::print("  On the running node: kvctl namespace create " + kv.binding + " --id " + kv.id);
  }
  return exit_code_of(created.error().code());
}

void Init::say_what_next(const config::Config& config) const {
  const std::string file = std::string(" -c ") + draft_.path();
  say("\nWhat next:");
  const bool is_service = draft_.path() == "/etc/edged/edged.jsonc";
  say(is_service ? "  sudo systemctl enable --now edged   # or: edged serve" + file
                 : "  edged serve" + file + "   # node and worker in the foreground");
  say("  edged doctor" + file + "   # once it runs: checks everything");
  say("  edged mail test ADDRESS" + file + "   # sends one mail");
  if (config.worker.has_role(config::kRoleCron)) {
    say("  edged cron run class-monitor" + file + "   # one run of the job, now");
  }
}

int Init::run() {
  say(std::string("edged init: ") + draft_.path() +
      (draft_.is_new() ? "" : " is there already; what it holds is proposed"));
  for (const InitStep& step : init_steps()) {
    if (!run_step(step)) return exit_code_;
  }
  const auto loaded = draft_.load();
  if (!loaded) return fail(loaded.error());
  if (!loaded->errors.empty()) {
    for (const config::Complaint& error : loaded->errors) {
      log::print("edged init: " + error.to_string());
    }
    return kExitUsage;
  }
  say("");
  const auto write = may_write();
  if (!write || !*write) {
    log::print("edged init: nothing was written" +
               std::string(write && !interactive_
                               ? std::string(". ") + draft_.path() + " exists; --yes changes it"
                               : ""));
    return interactive_ ? kExitFailed : kExitUsage;
  }
  int code = save();
  if (code != kExitDone) return code;
  const auto config = draft_.load();
  if (!config) return fail(config.error());
  code = facts_.database.reached ? prepare(config->config) : static_cast<int>(kExitFailed);
  if (!facts_.database.reached) {
    log::print(
        std::string("edged init: PostgreSQL was not reached. When it is there: edged migrate -c ") +
        draft_.path());
  }
  say_what_next(config->config);
  return code;
}

int init(const InitSettings& settings) {
  log::init("init", log::Level::kOff);  // what matters is said on stdout
  auto draft = InitDraft::open(init_file(settings));
  if (!draft) return fail(draft.error());
  for (const std::string& field : settings.upstream_fields) {
    InitDraft scratch = *draft;
    if (set_field(field, scratch)) continue;
    return fail({Code::kInvalidArgument, "--upstream-field \"" + field + "\" is not NAME=POINTER"});
  }
  apply_settings(settings, *draft);
  const bool interactive = TerminalDialog::possible() && !settings.yes;
  if (!interactive) {
    const std::vector<std::string> missing = missing_flags(*draft);
    if (!missing.empty()) return tell_missing(missing);
  }
  return Init(settings, *std::move(draft), interactive).run();
}

}  // namespace

void add_init_command(CLI::App& program, int& exit_code) {
  auto settings = std::make_shared<InitSettings>();
  CLI::App* command = program.add_subcommand(
      "init",
      "Write a configuration: ask for database, upstream and mail, test each at once, migrate, "
      "create the namespaces. Run it again to change something");
  add_init_flags(*command, *settings);
  command->callback([settings, &exit_code] { exit_code = init(*settings); });
}

}  // namespace edged
