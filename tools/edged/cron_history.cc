// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/cron_history.h"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <vector>

#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/postgres_options.h"
#include "tools/edged/worker_parts.h"
#include "worker/db/schema_check.h"

namespace edged {
namespace {

constexpr std::size_t kColumns = 10;
using Line = std::array<std::string, kColumns>;
constexpr std::array<const char*, kColumns> kTitles{"ID",
                                                    "DUE",
                                                    "CAUSE",
                                                    "STATUS",
                                                    "SECTIONS",
                                                    "CHANGED",
                                                    "NOTIFICATIONS",
                                                    "STATEMENTS",
                                                    "SECONDS",
                                                    "ERROR"};
// Numbers stand to the right.
constexpr std::array<bool, kColumns> kRight{
    true, false, false, false, true, true, true, true, true, false};

boost::asio::awaitable<Result<std::vector<worker::RunRecord>>> read_runs(
    db::PgPool& pool, class_monitor::RunStore& store, int limit) {
  db::DatabaseUse use;
  use.history = true;
  const Result<db::DatabaseFindings> database = co_await db::check_database(pool, use);
  if (!database) co_return database.error();
  auto runs = co_await store.newest_runs(limit);
  co_return runs;
}

std::string seconds_of(const worker::RunRecord& run) {
  const std::optional<double> seconds = worker::duration_seconds(run);
  if (!seconds) return "-";
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "%.3f", *seconds);
  return text.data();
}

// A number of the summary; "-" if it does not say.
std::string figure(const boost::json::value& summary, std::string_view name) {
  const boost::json::object* object = summary.if_object();
  const boost::json::value* found = object == nullptr ? nullptr : object->if_contains(name);
  return found == nullptr ? "-" : write_json(*found);
}

// An error is told on one line.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(),
      text.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      ' ');
  return text;
}

Line line_of(const worker::RunRecord& run) {
  boost::system::error_code ignored;
  const boost::json::value summary = boost::json::parse(run.summary_json, ignored);
  std::string status = run.status;
  if (run.attempts > 1) status += " (attempt " + std::to_string(run.attempts) + ")";
  return {std::to_string(run.run_id),
          format_rfc3339(run.due_at),
          run.cause,
          status,
          figure(summary, "sections"),
          figure(summary, "changed"),
          figure(summary, "notifications"),
          figure(summary, "sql_statements"),
          seconds_of(run),
          one_line(run.error)};
}

void print_table(const std::vector<worker::RunRecord>& runs) {
  std::vector<Line> lines(1);
  std::copy(kTitles.begin(), kTitles.end(), lines.front().begin());
  for (const worker::RunRecord& run : runs) lines.push_back(line_of(run));
  std::array<std::size_t, kColumns> widths{};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const Line& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < kColumns; ++i) {
      const std::string padding(widths[i] - line[i].size(), ' ');
      if (i > 0) text += "  ";
      text += kRight[i] ? padding + line[i] : line[i] + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    std::printf("%s\n", text.c_str());
  }
}

}  // namespace

int run_cron_history(const config::Config& config, const CronHistoryOptions& options) {
  if (options.job != class_monitor::kJobName) {
    log::print("edged cron history: no such job: \"" + options.job +
               "\". Jobs: " + class_monitor::kJobName);
    return kExitUsage;
  }
  boost::asio::io_context io(1);
  MetricsRegistry metrics;
  db::PgPoolOptions pool_of_one = pool_options(config, "edged cron history");
  pool_of_one.size = 1;
  db::PgPool pool(io.get_executor(), std::move(pool_of_one), metrics);
  class_monitor::RunStore store(pool, run_store_options(config, "edged cron history"));
  const Result<std::vector<worker::RunRecord>> runs =
      net::run_until_done(io, read_runs(pool, store, options.limit));
  if (!runs) {
    log::print("edged cron history: " + runs.error().message());
    return exit_code_of(runs.error().code());
  }
  if (options.json) {
    std::printf("%s\n", write_json(worker::describe_history(*runs)).c_str());
  } else {
    print_table(*runs);
  }
  return kExitDone;
}

}  // namespace edged
