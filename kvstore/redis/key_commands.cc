// SPDX-License-Identifier: Apache-2.0
// See key_commands.h. Order of checks and texts of errors are Redis's.
#include "kvstore/redis/key_commands.h"

#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

using storage::Entry;

constexpr std::int64_t kNoKey = -2, kNoExpiry = -1;
constexpr std::size_t kEmbeddedMax = 44;  // as Redis: a longer string is "raw"

struct ExpireRules {
  bool absent = false, present = false, later = false, earlier = false;  // NX, XX, GT, LT
};

// Empty: understood.
std::string read_rules(Arguments options, ExpireRules& rules) {
  for (const std::string_view option : options) {
    if (equals_ignoring_case(option, "nx")) {
      rules.absent = true;
    } else if (equals_ignoring_case(option, "xx")) {
      rules.present = true;
    } else if (equals_ignoring_case(option, "gt")) {
      rules.later = true;
    } else if (equals_ignoring_case(option, "lt")) {
      rules.earlier = true;
    } else {
      std::string text = "ERR Unsupported option ";
      text.append(option);
      return text;
    }
  }
  if (rules.absent && (rules.present || rules.later || rules.earlier)) {
    return "ERR NX and XX, GT or LT options at the same time are not compatible";
  }
  if (rules.later && rules.earlier) {
    return "ERR GT and LT options at the same time are not compatible";
  }
  return {};
}

// A key without expiry counts as one that expires never.
bool rules_allow(const ExpireRules& rules, const Entry& entry, WallTime expires_at) {
  if (rules.absent) return !entry.expires_at;
  if (rules.present && !entry.expires_at) return false;
  if (rules.later) return entry.expires_at && expires_at > *entry.expires_at;
  if (rules.earlier) return !entry.expires_at || expires_at < *entry.expires_at;
  return true;
}

std::string_view encoding_of(const std::string& value) {
  if (value.size() <= 20 && to_integer(value)) return "int";
  return value.size() <= kEmbeddedMax ? "embstr" : "raw";
}

}  // namespace

void run_del(CommandContext& call) {
  for (const std::string_view key : call.args.subspan(1)) {
    if (!call.may_change(key)) return;
  }
  std::int64_t removed = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    const auto found = call.overlay.find(call.ns, key);
    if (!found || *found == nullptr) continue;
    call.erase(key);
    ++removed;
  }
  call.reply.integer(removed);
}

void run_delifeq(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  if (*found == nullptr || (*found)->value != call.args[2]) return call.reply.integer(0);
  if (!call.may_change(call.args[1])) return;
  call.erase(call.args[1]);
  call.reply.integer(1);
}

void run_exists(CommandContext& call) {
  std::int64_t there = 0;
  for (const std::string_view key : call.args.subspan(1)) {
    const auto found = call.find(key);
    if (!found) return;
    there += *found != nullptr ? 1 : 0;
  }
  call.reply.integer(there);
}

void run_watched(CommandContext& call) {
  for (const std::string_view key : call.args.subspan(1)) {
    if (!call.find(key)) return;
  }
  call.reply.ok();
}

void run_type(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (found) call.reply.simple(*found == nullptr ? "none" : "string");
}

void run_ttl(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  if (*found == nullptr) return call.reply.integer(kNoKey);
  if (!(*found)->expires_at) return call.reply.integer(kNoExpiry);
  const bool absolute = call.name.ends_with("time");
  std::int64_t ms = to_unix_ms(*(*found)->expires_at);
  if (!absolute) ms = std::max<std::int64_t>(0, ms - to_unix_ms(call.now));
  call.reply.integer(call.name.starts_with('p') ? ms : (ms + 500) / 1000);
}

std::string read_expiry(std::string_view name,
                        std::string_view amount_text,
                        WallTime now,
                        std::optional<WallTime>& expires_at) {
  const auto amount = to_integer(amount_text);
  if (!amount) return std::string(kNotInteger);
  expires_at = expiry_of(*amount, !name.starts_with('p'), name.ends_with("at"), now);
  return expires_at ? std::string() : invalid_expire(name);
}

void run_expire(CommandContext& call) {
  ExpireRules rules;
  std::string failure = read_rules(call.args.subspan(3), rules);
  std::optional<WallTime> expires_at;
  if (failure.empty()) failure = read_expiry(call.name, call.args[2], call.now, expires_at);
  if (!failure.empty()) return call.reply.error(failure);
  const std::string_view key = call.args[1];
  const auto found = call.find(key);
  if (!found) return;
  if (*found == nullptr || !rules_allow(rules, **found, *expires_at)) return call.reply.integer(0);
  if (!call.may_change(key)) return;
  if (*expires_at <= call.now) {
    call.erase(key);
  } else {
    call.set_expiry(key, expires_at, "expire");
  }
  call.reply.integer(1);
}

void run_persist(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  if (*found == nullptr || !(*found)->expires_at) return call.reply.integer(0);
  if (!call.may_change(call.args[1])) return;
  call.set_expiry(call.args[1], std::nullopt, "persist");
  call.reply.integer(1);
}

void run_rename(CommandContext& call) {
  const std::string_view from = call.args[1], to = call.args[2];
  const bool if_absent = call.name == "renamenx";
  const auto source = call.find(from);
  if (!source) return;
  if (*source == nullptr) return call.reply.error("ERR no such key");
  if (from == to) {
    if (if_absent) return call.reply.integer(0);
    return call.reply.ok();
  }
  const auto target = call.find(to);
  if (!target) return;
  if (if_absent && *target != nullptr) return call.reply.integer(0);
  if (!call.may_change(from) || !call.may_change(to)) return;
  Entry moved = **source;
  call.erase(from, "rename_from");
  call.put(to, std::move(moved), "rename_to");
  if (if_absent) return call.reply.integer(1);
  call.reply.ok();
}

void run_copy(CommandContext& call) {
  storage::NamespaceNumber target_ns = call.ns;
  bool replace = false;
  for (std::size_t i = 3; i < call.args.size(); ++i) {
    if (equals_ignoring_case(call.args[i], "replace")) {
      replace = true;
    } else if (equals_ignoring_case(call.args[i], "db") && i + 1 < call.args.size()) {
      const auto number = call.integer(++i);
      if (!number) return;
      if (*number < 0 || *number >= static_cast<std::int64_t>(kDatabases)) {
        return call.reply.error("ERR DB index is out of range");
      }
      target_ns = call.databases[static_cast<std::size_t>(*number)];
    } else {
      return call.reply.error(kSyntaxError);
    }
  }
  const std::string_view from = call.args[1], to = call.args[2];
  if (target_ns == call.ns && from == to) {
    return call.reply.error("ERR source and destination objects are the same");
  }
  const auto source = call.find(from);
  if (!source) return;
  if (*source == nullptr) return call.reply.integer(0);
  const auto target = call.overlay.find(target_ns, to);
  if (!target) return call.reply.error(error_text(target.error()));
  if (*target != nullptr && !replace) return call.reply.integer(0);
  const Status allowed = call.overlay.may_change(target_ns, to);
  if (!allowed.ok()) return call.reply.error(error_text(allowed));
  call.overlay.put(target_ns, to, **source);
  call.overlay.events().push_back({target_ns, std::string(to), "copy_to"});
  call.reply.integer(1);
}

void run_object(CommandContext& call) {
  if (equals_ignoring_case(call.args[1], "help")) {
    call.reply.array(2);
    call.reply.simple("OBJECT ENCODING <key>");
    return call.reply.simple("    Return the kind of internal representation: int, embstr or raw.");
  }
  if (call.args.size() != 3) return call.reply.error(kSyntaxError);
  const bool refcount = equals_ignoring_case(call.args[1], "refcount");
  const auto found = call.find(call.args[2]);
  if (!found) return;
  if (*found == nullptr) return call.reply.null();
  if (refcount) return call.reply.integer(1);
  call.reply.bulk(encoding_of((*found)->value));
}

}  // namespace edged::redis
