// SPDX-License-Identifier: Apache-2.0
// touch, ttl and add: what changes or tells an entry without carrying its value.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "tools/edged/exit_code.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"

namespace edged::kvctl {
namespace {

struct TouchArguments {
  std::string key, ttl;
  bool persist = false;
  std::optional<std::uint64_t> if_version;
};

int touch(Context& context, const TouchArguments& arguments) {
  if (arguments.ttl.empty() != arguments.persist) {
    return fail({Code::kInvalidArgument, "give either --ttl or --persist"});
  }
  const auto ttl = parse_ttl(arguments.ttl);
  if (!ttl) return fail(ttl.error());
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  net::TouchItem item;
  item.key = arguments.key;
  item.ttl = *ttl;
  item.if_version = arguments.if_version;
  const auto version = context.client->touch(ns->id, item);
  if (version.code() == Code::kNotFound) return no_such_key(arguments.key, *ns);
  if (!version) {
    return fail(version.error().with_context("could not touch \"" + arguments.key + "\""));
  }
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", arguments.key);
    object["version"] = *version;
    std::printf("%s\n", boost::json::serialize(object).c_str());
  }
  return kExitDone;
}

int ttl(Context& context, const std::string& key) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto facts = find_facts(context, *ns, key);
  if (facts.code() == Code::kNotFound) return no_such_key(key, *ns);
  if (!facts) return fail(facts.error().with_context("could not inspect \"" + key + "\""));
  std::optional<std::int64_t> left;
  if (facts->entry.expires_at) {
    left = (*facts->entry.expires_at - SystemClock().wall_now()).count();
  }
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", key);
    object["ttl_ms"] = nullptr;
    if (left) object["ttl_ms"] = *left;
    std::printf("%s\n", boost::json::serialize(object).c_str());
  } else if (left) {
    std::printf("%.3fs\n", static_cast<double>(*left) / 1000);
  } else {
    std::printf("never\n");
  }
  return kExitDone;
}

struct AddArguments {
  std::string key, ttl;
  std::int64_t delta = 1;
  std::int64_t initial = 0;
};

int add(Context& context, const AddArguments& arguments) {
  const auto ttl = parse_ttl(arguments.ttl);
  if (!ttl) return fail(ttl.error());
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  net::AddItem item;
  item.key = arguments.key;
  item.delta = arguments.delta;
  item.initial = arguments.initial;
  item.ttl = *ttl;
  const auto sum = context.client->add(ns->id, item);
  if (!sum) return fail(sum.error().with_context("could not add to \"" + arguments.key + "\""));
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", arguments.key);
    object["value"] = *sum;
    std::printf("%s\n", boost::json::serialize(object).c_str());
  } else {
    std::printf("%lld\n", static_cast<long long>(*sum));
  }
  return kExitDone;
}

}  // namespace

void add_change_commands(CLI::App& program, Context& context, int& exit_code) {
  auto touched = std::make_shared<TouchArguments>();
  CLI::App* touching = program.add_subcommand("touch", "Give a key another time to live");
  touching->fallthrough();
  touching->add_option("key", touched->key, "The key")->required();
  touching->add_option("--ttl", touched->ttl, "From now on: 500ms, 60s, 1h, 7d");
  touching->add_flag("--persist", touched->persist, "Without end");
  touching->add_option("--if-version", touched->if_version, "Only if the entry has this version");
  touching->callback([touched, &context, &exit_code] { exit_code = touch(context, *touched); });

  auto key = std::make_shared<std::string>();
  CLI::App* asking = program.add_subcommand("ttl", "Print how long a key has left, or \"never\"");
  asking->fallthrough();
  asking->add_option("key", *key, "The key")->required();
  asking->callback([key, &context, &exit_code] { exit_code = ttl(context, *key); });

  auto added = std::make_shared<AddArguments>();
  CLI::App* adding = program.add_subcommand("add", "Add to a whole number and print the sum");
  adding->fallthrough();
  adding->add_option("key", added->key, "The key")->required();
  adding->add_option("delta", added->delta, "What to add; \"-- -3\" subtracts")
      ->capture_default_str();
  adding->add_option("--initial", added->initial, "What an absent key counts as")
      ->capture_default_str();
  adding->add_option("--ttl", added->ttl, "How long it lives if it is created here");
  adding->callback([added, &context, &exit_code] { exit_code = add(context, *added); });
}

}  // namespace edged::kvctl
