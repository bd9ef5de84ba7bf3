// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "proto/base/standard_streams.h"
#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"
#include "tools/kvctl/terminal.h"

namespace edged::kvctl {
namespace {

using std::chrono::milliseconds;

struct WatchArguments {
  std::string prefix;
  std::optional<milliseconds> duration;
  std::optional<std::uint64_t> after;
};

const char* name_of(net::KvChangeKind kind) {
  switch (kind) {
    case net::KvChangeKind::kPut:
      return "put";
    case net::KvChangeKind::kDelete:
      return "delete";
    case net::KvChangeKind::kClear:
      break;
  }
  return "clear";
}

void print_change(const net::KvChange& change, bool json) {
  if (!json) {
    std::printf(
        "%s %-6s %s\n",
        format_rfc3339(from_unix_ms(static_cast<std::int64_t>(change.version / 1000))).c_str(),
        name_of(change.kind),
        terminal_text(change.key).c_str());
    return;
  }
  boost::json::object object;
  object["change"] = name_of(change.kind);
  add_bytes(object, "key", change.key);
  object["version"] = change.version;
  object["expires_at"] = nullptr;
  if (change.expires_at) object["expires_at"] = format_rfc3339(*change.expires_at);
  std::printf("%s\n", write_json(object).c_str());
}

// Until the time is over, the node goes away, or stdout cannot be written.
int watch(Context& context, const WatchArguments& arguments) {
  using Steady = std::chrono::steady_clock;
  auto until = Steady::time_point::max();
  if (arguments.duration) until = Steady::now() + *arguments.duration;
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  auto opened = context.client->watch(ns->id, arguments.prefix, arguments.after);
  if (!opened) return fail(opened.error().with_context("could not watch"));
  const std::shared_ptr<net::KvWatch> watch = *std::move(opened);
  while (Steady::now() < until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Steady::now());
    const auto changes =
        context.client->next(*watch, std::min(left + milliseconds(1), milliseconds(60'000)));
    if (!changes) {
      return fail(changes.error().with_context("could not continue to watch"),
                  "to continue: kvctl watch --after " + std::to_string(watch->seen()));
    }
    for (const net::KvChange& change : *changes) print_change(change, context.json);
    if (!flush_output()) return kExitFailed;
  }
  return kExitDone;
}

}  // namespace

void add_watch_command(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<WatchArguments>();
  CLI::App* command =
      program.add_subcommand("watch", "Print each change of the namespace when it happens");
  command->fallthrough();
  add_argument(*command, "prefix", arguments->prefix, "Only keys that begin with this text");
  add_number(*command,
             "--after",
             arguments->after,
             "Begin with the changes after this version, not with those from now on");
  add_duration(*command,
               "--for",
               arguments->duration,
               "End after this time: 10s, 5m (default: never)",
               DurationMin::kZero);
  command->callback([arguments, &context, &exit_code] { exit_code = watch(context, *arguments); });
}

}  // namespace edged::kvctl
