// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>

#include "proto/base/hex.h"
#include "proto/base/standard_streams.h"
#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"
#include "tools/kvctl/terminal.h"

namespace edged::kvctl {
namespace {

constexpr std::uint64_t kPageMax = 1000;

struct ListArguments {
  std::string prefix;
  std::string cursor;  // hexadecimal: the node's is bytes
  std::uint64_t limit = kPageMax;
  bool all = false;
  bool values = false;
};

void print_item(const net::KvListItem& item, bool json, bool values, bool first) {
  if (!json) {
    const std::string key = terminal_text(item.key);
    std::fwrite(key.data(), 1, key.size(), stdout);
    if (values) {
      std::fputc('\t', stdout);
      const std::string value = terminal_text(item.entry.value);
      std::fwrite(value.data(), 1, value.size(), stdout);
    }
    std::fputc('\n', stdout);
    return;
  }
  boost::json::object object;
  add_bytes(object, "key", item.key);
  object["size"] = item.value_bytes;
  add_entry_facts(object, item.entry);
  if (values) add_bytes(object, "value", item.entry.value);
  std::printf("%s%s", first ? "" : ",", write_json(object).c_str());
}

// Prints page by page: memory is bounded by one page however long the list is.
int list(Context& context, const ListArguments& arguments) {
  const auto cursor = from_hex(arguments.cursor);
  if (!cursor)
    return fail({Code::kInvalidArgument, "--cursor: not a cursor that an earlier list printed"});
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  net::KvListRequest request;
  request.prefix = arguments.prefix;
  request.cursor = *cursor;
  request.with_values = arguments.values;
  std::uint64_t left = arguments.all ? std::numeric_limits<std::uint64_t>::max() : arguments.limit;
  bool first = true;
  if (context.json) std::printf("{\"keys\":[");
  do {
    request.limit = static_cast<std::uint32_t>(std::min(left, kPageMax));
    const auto page = context.client->list(ns->id, request);
    if (!page) return fail(page.error().with_context("could not list keys"));
    for (const net::KvListItem& item : page->items) {
      print_item(item, context.json, arguments.values, first);
      first = false;
    }
    if (!flush_output()) return kExitFailed;
    left -= std::min<std::uint64_t>(left, page->items.size());
    request.cursor = page->cursor;
  } while (left > 0 && !request.cursor.empty());
  const std::string next = to_hex(request.cursor);
  if (context.json) {
    std::printf("],\"cursor\":\"%s\"}\n", next.c_str());
  } else if (!next.empty()) {
    std::fprintf(
        stderr, "there are more keys: add --cursor %s for the next page, or --all\n", next.c_str());
  }
  return kExitDone;
}

}  // namespace

void add_list_command(CLI::App& program, Context& context, int& exit_code) {
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* command = program.add_subcommand("list", "List the keys, sorted by their bytes");
  command->fallthrough();
  add_argument(*command, "--prefix", arguments->prefix, "Only keys that begin with this text");
  add_number(*command,
             "--limit",
             arguments->limit,
             "Print at most this number of keys (default 1000)",
             {1, 1'000'000'000});
  add_argument(*command, "--cursor", arguments->cursor, "Continue where an earlier list ended");
  command->add_flag("--all", arguments->all, "Print all keys, whatever their number");
  command->add_flag("--values", arguments->values, "Print the values too");
  command->callback([arguments, &context, &exit_code] { exit_code = list(context, *arguments); });
}

}  // namespace edged::kvctl
