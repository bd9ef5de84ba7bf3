// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "tools/edged/exit_code.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"

namespace edged::kvctl {
namespace {

int get(Context& context, const std::string& key) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto entry = context.client->get(ns->id, key);
  if (entry.code() == Code::kNotFound) return no_such_key(key, *ns);
  if (!entry) return fail(entry.error().with_context("could not get \"" + key + "\""));
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", key);
    add_bytes(object, "value", entry->value);
    add_entry_facts(object, *entry);
    std::printf("%s\n", boost::json::serialize(object).c_str());
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
    return fail({Code::kInvalidArgument, "--if-version goes with one key"});
  }
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  boost::json::array deleted;
  for (const std::string& key : arguments.keys) {
    const Status removed = context.client->remove(ns->id, key, arguments.if_version);
    if (!removed.ok()) return fail(removed.with_context("could not delete \"" + key + "\""));
    boost::json::object object;
    add_bytes(object, "key", key);
    deleted.push_back(std::move(object));
  }
  if (context.json) {
    boost::json::object object;
    object["deleted"] = std::move(deleted);
    std::printf("%s\n", boost::json::serialize(object).c_str());
  }
  return kExitDone;
}

}  // namespace

void add_entry_commands(CLI::App& program, Context& context, int& exit_code) {
  auto key = std::make_shared<std::string>();
  CLI::App* getting = program.add_subcommand("get", "Print a key's value, byte for byte");
  getting->fallthrough();
  getting->add_option("key", *key, "The key")->required();
  getting->callback([key, &context, &exit_code] { exit_code = get(context, *key); });

  auto arguments = std::make_shared<DeleteArguments>();
  CLI::App* deleting =
      program.add_subcommand("del", "Delete keys; one that is not there is no error");
  deleting->fallthrough();
  deleting->add_option("keys", arguments->keys, "The keys")->required();
  deleting->add_option("--if-version", arguments->if_version, "Only if the entry has this version");
  deleting->callback([arguments, &context, &exit_code] { exit_code = del(context, *arguments); });
}

}  // namespace edged::kvctl
