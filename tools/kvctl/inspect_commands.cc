// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "proto/base/clock.h"
#include "tools/edged/exit_code.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;

// For people: one fact a line.
void print_lines(const json::object& object) {
  for (const auto& [name, value] : object) {
    const std::string text =
        value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    std::printf("%-18s %s\n", std::string(name).c_str(), text.c_str());
  }
}

void print(const Context& context, const json::object& object) {
  if (context.json) {
    std::printf("%s\n", json::serialize(object).c_str());
  } else {
    print_lines(object);
  }
}

int inspect(Context& context, const std::string& key) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto entry = context.client->get(ns->id, key);
  if (entry.code() == Code::kNotFound) {
    return fail(
        {Code::kNotFound, "key \"" + key + "\" not found in namespace \"" + ns->title + "\""},
        "kvctl list --prefix shows what is there");
  }
  if (!entry) return fail(entry.error().with_context("could not inspect \"" + key + "\""));
  json::object facts;
  add_entry_facts(facts, *entry);
  json::object object;
  add_bytes(object, "key", key);
  object["namespace"] = ns->title;
  object["size"] = entry->value.size();
  object["version"] = entry->version;
  // A version is made from the wall clock's microseconds at the write.
  object["written_at"] =
      format_rfc3339(from_unix_ms(static_cast<std::int64_t>(entry->version / 1000)));
  object["expires_at"] = facts["expires_at"];
  object["ttl_ms"] = nullptr;
  if (entry->expires_at) {
    object["ttl_ms"] = (*entry->expires_at - SystemClock().wall_now()).count();
  }
  object["metadata"] = facts["metadata"];
  // This version has no hot cache to ask, and stores every value in one piece.
  object["cached"] = nullptr;
  object["chunks"] = 0;
  print(context, object);
  return kExitDone;
}

int stats(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  const auto text = context.client->stats();
  if (!text) return fail(text.error().with_context("could not read statistics"));
  json::error_code error;
  const json::value value = json::parse(*text, error);
  if (error || !value.is_object()) {
    return fail({Code::kInternal, "the node's statistics are not a JSON object"});
  }
  print(context, value.get_object());
  return kExitDone;
}

}  // namespace

void add_inspect_commands(CLI::App& program, Context& context, int& exit_code) {
  auto key = std::make_shared<std::string>();
  CLI::App* inspecting =
      program.add_subcommand("inspect", "Show all that is known of a key, without its value");
  inspecting->fallthrough();
  inspecting->add_option("key", *key, "The key")->required();
  inspecting->callback([key, &context, &exit_code] { exit_code = inspect(context, *key); });
  CLI::App* showing = program.add_subcommand("stats", "Show the node's statistics");
  showing->fallthrough();
  showing->callback([&context, &exit_code] { exit_code = stats(context); });
}

}  // namespace edged::kvctl
