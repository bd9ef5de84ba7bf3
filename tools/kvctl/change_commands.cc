// SPDX-License-Identifier: Apache-2.0
// touch, ttl and add: what changes or tells an entry without carrying its value.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "proto/json/write_json.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/strict_options.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/json_text.h"

namespace edged::kvctl {
namespace {

struct TouchArguments {
  std::string key;
  std::optional<std::chrono::milliseconds> ttl;
  bool persist = false;
  std::optional<std::uint64_t> if_version;
};

int touch(Context& context, const TouchArguments& arguments) {
  if (arguments.ttl.has_value() == arguments.persist) {
    return fail({Code::kInvalidArgument, "touch needs one of --ttl or --persist, not both"});
  }
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  net::TouchItem item;
  item.key = arguments.key;
  item.ttl = arguments.ttl;
  item.if_version = arguments.if_version;
  const auto version = context.client->touch(ns->id, item);
  if (version.code() == Code::kNotFound) return no_such_key(arguments.key, *ns);
  if (!version) {
    return fail(version.error().with_context("could not touch \"" + shown(arguments.key) + "\""));
  }
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", arguments.key);
    object["version"] = *version;
    std::printf("%s\n", write_json(object).c_str());
  }
  return kExitDone;
}

int ttl(Context& context, const std::string& key) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  const auto facts = find_facts(context, *ns, key);
  if (facts.code() == Code::kNotFound) return no_such_key(key, *ns);
  if (!facts)
    return fail(facts.error().with_context("could not read the expiry of \"" + shown(key) + "\""));
  std::optional<std::int64_t> left;
  if (facts->entry.expires_at) {
    left = (*facts->entry.expires_at - SystemClock().wall_now()).count();
  }
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", key);
    object["ttl_ms"] = nullptr;
    if (left) object["ttl_ms"] = *left;
    std::printf("%s\n", write_json(object).c_str());
  } else if (left) {
    std::printf("%.3fs\n", static_cast<double>(*left) / 1000);
  } else {
    std::printf("never\n");
  }
  return kExitDone;
}

struct AddArguments {
  std::string key;
  std::optional<std::chrono::milliseconds> ttl;
  std::int64_t delta = 1;
  std::int64_t initial = 0;
};

int add(Context& context, const AddArguments& arguments) {
  const auto ns = open_namespace(context);
  if (!ns) return fail(ns.error());
  net::AddItem item;
  item.key = arguments.key;
  item.delta = arguments.delta;
  item.initial = arguments.initial;
  item.ttl = arguments.ttl;
  const auto sum = context.client->add(ns->id, item);
  if (!sum) {
    return fail(
        sum.error().with_context("could not add to \"" + shown(arguments.key) + "\""),
        sum.code() == Code::kInvalidArgument
            ? "nothing was changed. \"kvctl get\" shows the stored value; it must be a whole "
              "number from -9223372036854775808 to 9223372036854775807, and so must the sum"
            : "");
  }
  if (context.json) {
    boost::json::object object;
    add_bytes(object, "key", arguments.key);
    object["value"] = *sum;
    std::printf("%s\n", write_json(object).c_str());
  } else {
    std::printf("%lld\n", static_cast<long long>(*sum));
  }
  return kExitDone;
}

}  // namespace

void add_change_commands(CLI::App& program, Context& context, int& exit_code) {
  auto touched = std::make_shared<TouchArguments>();
  CLI::App* touching =
      program.add_subcommand("touch", "Change when a key expires, and leave its value alone");
  touching->fallthrough();
  add_argument(*touching, "key", touched->key, "The key")->required();
  add_duration(*touching,
               "--ttl",
               touched->ttl,
               "Let the key expire this long from now: 500ms, 60s, 1h, 7d");
  touching->add_flag("--persist", touched->persist, "Let the key never expire");
  add_number(*touching,
             "--if-version",
             touched->if_version,
             "Only if the entry still has this version, as \"kvctl inspect\" shows it");
  touching->callback([touched, &context, &exit_code] { exit_code = touch(context, *touched); });

  auto key = std::make_shared<std::string>();
  CLI::App* asking =
      program.add_subcommand("ttl", "Print the time until a key expires in seconds, or \"never\"");
  asking->fallthrough();
  add_argument(*asking, "key", *key, "The key")->required();
  asking->callback([key, &context, &exit_code] { exit_code = ttl(context, *key); });

  auto added = std::make_shared<AddArguments>();
  CLI::App* adding = program.add_subcommand(
      "add", "Add to a whole number of 64 bits in one atomic step, and print the sum");
  adding->fallthrough();
  add_argument(*adding, "key", added->key, "The key")->required();
  add_number(*adding, "delta", added->delta, "What to add (default 1); \"-- -3\" subtracts 3");
  add_number(*adding, "--initial", added->initial, "The value of a key that is absent (default 0)");
  add_duration(*adding,
               "--ttl",
               added->ttl,
               "Let the key expire this long from now, if this command creates it: 60s, 1h");
  adding->callback([added, &context, &exit_code] { exit_code = add(context, *added); });
}

}  // namespace edged::kvctl
