// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include "proto/base/clock.h"
#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"
#include "tools/kvctl/position.h"
#include "tools/kvctl/terminal.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;

// docs/storage-format.md: values above the first size are kept in chunks of the second.
constexpr std::uint64_t kInlineBytesMax = 64 * 1024, kChunkBytes = 256 * 1024;

// For people: one fact a line.
void print_lines(const json::object& object) {
  for (const auto& [name, value] : object) {
    const std::string text =
        value.is_string() ? std::string(value.get_string()) : write_json(value);
    std::printf("%-18s %s\n", std::string(name).c_str(), terminal_text(text).c_str());
  }
}

void print(const Context& context, const json::object& object) {
  if (context.json) {
    std::printf("%s\n", write_json(object).c_str());
  } else {
    print_lines(object);
  }
}

int inspect(Context& context, const std::string& key) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto found = find_facts(context, *ns, key);
  if (found.code() == Code::kNotFound) return no_such_key(key, *ns);
  if (!found) return fail(found.error().with_context("could not inspect \"" + shown(key) + "\""));
  const net::KvEntry* entry = &found->entry;
  json::object facts;
  add_entry_facts(facts, *entry);
  json::object object;
  add_bytes(object, "key", key);
  object["namespace"] = ns->title;
  object["size"] = found->value_bytes;
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
  object["cached"] = nullptr;
  if (found->cached) object["cached"] = *found->cached;
  object["chunks"] = found->value_bytes <= kInlineBytesMax
                         ? 0
                         : (found->value_bytes + kChunkBytes - 1) / kChunkBytes;
  if (entry->fresh_as_of) add_freshness(object, entry->fresh_as_of, entry->position);
  print(context, object);
  return kExitDone;
}

// Without a prefix the node knows the number; with one the keys are listed.
int count(Context& context, const std::string& prefix) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  std::uint64_t keys = 0, bytes = 0;
  if (prefix.empty()) {
    const auto text = context.client->namespace_usage(ns->id);
    if (!text) return fail(text.error().with_context("could not count keys"));
    json::error_code error;
    const json::value usage = json::parse(*text, error);
    if (error)
      return fail({Code::kInternal,
                   "could not count keys: the answer of the node is not the expected JSON"});
    keys = usage.at("keys").to_number<std::uint64_t>();
    bytes = usage.at("bytes").to_number<std::uint64_t>();
  } else {
    net::KvListRequest request;
    request.prefix = prefix;
    do {
      const auto page = context.client->list(ns->id, request);
      if (!page) return fail(page.error().with_context("could not list keys"));
      keys += page->items.size();
      for (const net::KvListItem& item : page->items) {
        bytes += item.key.size() + item.value_bytes + item.entry.metadata.size();
      }
      request.cursor = page->cursor;
    } while (!request.cursor.empty());
  }
  json::object object;
  object["keys"] = keys;
  object["bytes"] = bytes;
  if (context.json) {
    print(context, object);
  } else {
    std::printf("%llu\n", static_cast<unsigned long long>(keys));
  }
  return kExitDone;
}

int confirm_clock(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  const Status confirmed = context.client->confirm_clock();
  return confirmed.ok() ? kExitDone : fail(confirmed.with_context("could not confirm the clock"));
}

int stats(Context& context) {
  const Status connected = connect(context);
  if (!connected.ok()) return fail(connected);
  const auto text = context.client->stats();
  if (!text) return fail(text.error().with_context("could not read statistics"));
  json::error_code error;
  const json::value value = json::parse(*text, error);
  if (error || !value.is_object()) {
    return fail({Code::kInternal,
                 "could not read statistics: the answer of the node is not the expected JSON"});
  }
  print(context, value.get_object());
  return kExitDone;
}

}  // namespace

void add_inspect_commands(CLI::App& program, Context& context, int& exit_code) {
  auto key = std::make_shared<std::string>();
  CLI::App* inspecting = program.add_subcommand(
      "inspect", "Show everything about a key but its value: size, version, expiry, metadata");
  inspecting->fallthrough();
  add_argument(*inspecting, "key", *key, "The key")->required();
  inspecting->callback([key, &context, &exit_code] { exit_code = inspect(context, *key); });
  auto prefix = std::make_shared<std::string>();
  CLI::App* counting = program.add_subcommand("count", "Print the number of keys in the namespace");
  counting->fallthrough();
  add_argument(*counting,
               "--prefix",
               *prefix,
               "Count only keys that begin with this text; reads all of them");
  counting->callback([prefix, &context, &exit_code] { exit_code = count(context, *prefix); });
  CLI::App* confirming = program.add_subcommand(
      "confirm-clock",
      "Tell the node that its clock is right, after the clock was set far forward or back");
  confirming->fallthrough();
  confirming->callback([&context, &exit_code] { exit_code = confirm_clock(context); });
  CLI::App* showing = program.add_subcommand(
      "stats", "Show the statistics of the node: connections, disk, memory, writes");
  showing->fallthrough();
  showing->callback([&context, &exit_code] { exit_code = stats(context); });
}

}  // namespace edged::kvctl
