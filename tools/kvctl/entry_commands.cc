// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"
#include "tools/kvctl/position.h"

namespace edged::kvctl {
namespace {

struct GetArguments {
  std::string key, min_position;
  std::optional<std::chrono::milliseconds> max_staleness, wait;
};

// Of a read that says how fresh the key must be.
Result<net::ReadBounds> bounds_of(const GetArguments& arguments) {
  net::ReadBounds bounds;
  bounds.max_staleness = arguments.max_staleness;
  if (!arguments.min_position.empty()) {
    auto position = parse_position(arguments.min_position);
    if (!position) return position.error().with_context("--min-position");
    bounds.min_position = *std::move(position);
  }
  if (arguments.wait) bounds.wait = *arguments.wait;
  return bounds;
}

int get(Context& context, const GetArguments& arguments) {
  const std::string& key = arguments.key;
  auto bounds = bounds_of(arguments);
  if (!bounds) return fail(bounds.error());
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto entry = context.client->get(ns->id, key, *std::move(bounds));
  if (entry.code() == Code::kNotFound) return no_such_key(key, *ns);
  if (!entry) return fail(entry.error().with_context("could not get \"" + shown(key) + "\""));
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", key);
    add_bytes(object, "value", entry->value);
    add_entry_facts(object, *entry);
    if (entry->fresh_as_of) add_freshness(object, entry->fresh_as_of, entry->position);
    std::printf("%s\n", write_json(object).c_str());
    return kExitDone;
  }
  std::fwrite(entry->value.data(), 1, entry->value.size(), stdout);
  if (::isatty(STDOUT_FILENO) == 1) std::fputc('\n', stdout);
  return kExitDone;
}

struct DeleteArguments {
  std::vector<std::string> keys;
  std::optional<std::uint64_t> if_version;
};

int del(Context& context, const DeleteArguments& arguments) {
  if (arguments.if_version && arguments.keys.size() > 1) {
    return fail({Code::kInvalidArgument, "--if-version needs exactly one key"});
  }
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  boost::json::array deleted;
  for (const std::string& key : arguments.keys) {
    const Status removed = context.client->remove(ns->id, key, arguments.if_version);
    if (!removed.ok()) return fail(removed.with_context("could not delete \"" + shown(key) + "\""));
    boost::json::object object;
    add_bytes(object, "key", key);
    deleted.push_back(std::move(object));
  }
  if (context.json) {
    boost::json::object object;
    object["deleted"] = std::move(deleted);
    std::printf("%s\n", write_json(object).c_str());
  }
  return kExitDone;
}

}  // namespace

void add_entry_commands(CLI::App& program, Context& context, int& exit_code) {
  auto wanted = std::make_shared<GetArguments>();
  CLI::App* getting = program.add_subcommand("get", "Print the value of a key, byte for byte");
  getting->fallthrough();
  add_argument(*getting, "key", wanted->key, "The key")->required();
  add_duration(
      *getting,
      "--max-staleness",
      wanted->max_staleness,
      "For a key that mirrors PostgreSQL: fail if the mirror is further behind than this: 5s",
      DurationMin::kZero);
  add_text(*getting,
           "--min-position",
           wanted->min_position,
           "For a key that mirrors PostgreSQL: fail if the mirror has not reached this LSN, as "
           "pg_current_wal_lsn() prints it");
  add_duration(*getting,
               "--wait",
               wanted->wait,
               "Instead of failing, ask again for at most this long: 2s",
               DurationMin::kZero);
  getting->callback([wanted, &context, &exit_code] { exit_code = get(context, *wanted); });

  auto arguments = std::make_shared<DeleteArguments>();
  CLI::App* deleting =
      program.add_subcommand("del", "Delete keys. A key that is absent is no error");
  deleting->fallthrough();
  add_texts(*deleting, "keys", arguments->keys, "The keys")->required();
  add_number(*deleting,
             "--if-version",
             arguments->if_version,
             "Only if the entry still has this version, as \"kvctl inspect\" shows it");
  deleting->callback([arguments, &context, &exit_code] { exit_code = del(context, *arguments); });
}

}  // namespace edged::kvctl
