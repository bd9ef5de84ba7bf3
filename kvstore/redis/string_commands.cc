// SPDX-License-Identifier: Apache-2.0
// See string_commands.h. Order of checks and texts of errors are Redis's.
#include "kvstore/redis/string_commands.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kvstore/redis/set_options.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

using storage::Entry;

void answer_value(Reply& reply, const Entry* entry) {
  if (entry == nullptr) {
    reply.null();
  } else {
    reply.bulk(entry->value);
  }
}

// True if SET's condition holds for what is there.
bool condition_holds(const SetOptions& options, const Entry* entry) {
  if (options.absent_only) return entry == nullptr;
  if (options.present_only) return entry != nullptr;
  return !options.if_equal || (entry != nullptr && entry->value == *options.if_equal);
}

// Sets key args[1] to `value`, without an expiry.
void set_plainly(CommandContext& call, std::string_view key, std::string_view value) {
  Entry made;
  made.value = value;
  call.put(key, std::move(made), "set");
}

// The entry that a command changes in part: what is there, or an empty one.
Entry copy_of(const Entry* entry) {
  return entry == nullptr ? Entry() : *entry;
}

}  // namespace

void run_get(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (found) answer_value(call.reply, *found);
}

void run_set(CommandContext& call) {
  SetOptions options;
  const std::string failure =
      read_set_options(call.args.subspan(3), false, call.name, call.now, options);
  if (!failure.empty()) return call.reply.error(failure);
  const std::string_view key = call.args[1];
  const auto found = call.find(key);
  if (!found) return;
  const bool holds = condition_holds(options, *found);
  if (holds && !call.may_change(key)) return;
  std::string before;
  Reply answer(before, call.reply.resp3() ? 3 : 2);
  if (options.get) {
    answer_value(answer, *found);
  } else if (holds) {
    answer.ok();
  } else {
    answer.null();
  }
  if (holds) {
    Entry made;
    made.value = call.args[2];
    made.expires_at = options.expires_at;
    if (options.keep_ttl && *found != nullptr) made.expires_at = (*found)->expires_at;
    call.put(key, std::move(made), "set");
    if (options.expires_at) {
      call.overlay.events().push_back({call.ns, std::string(key), "expire"});
    }
  }
  call.reply.out().append(before);
}

void run_setnx(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  if (*found != nullptr) return call.reply.integer(0);
  if (!call.may_change(call.args[1])) return;
  set_plainly(call, call.args[1], call.args[2]);
  call.reply.integer(1);
}

void run_setex(CommandContext& call) {
  const auto amount = call.integer(2);
  if (!amount) return;
  const auto expires_at =
      *amount <= 0 ? std::nullopt : expiry_of(*amount, call.name == "setex", false, call.now);
  if (!expires_at) return call.reply.error(invalid_expire(call.name));
  if (!call.may_change(call.args[1])) return;
  Entry made;
  made.value = call.args[3];
  made.expires_at = expires_at;
  call.put(call.args[1], std::move(made), "set");
  call.overlay.events().push_back({call.ns, std::string(call.args[1]), "expire"});
  call.reply.ok();
}

void run_getset(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found || !call.may_change(call.args[1])) return;
  answer_value(call.reply, *found);
  set_plainly(call, call.args[1], call.args[2]);
}

void run_getdel(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  if (*found == nullptr) return call.reply.null();
  if (!call.may_change(call.args[1])) return;
  answer_value(call.reply, *found);
  call.erase(call.args[1]);
}

void run_getex(CommandContext& call) {
  SetOptions options;
  const std::string failure =
      read_set_options(call.args.subspan(2), true, call.name, call.now, options);
  if (failure == kSyntaxError) return call.reply.error(failure);
  const std::string_view key = call.args[1];
  const auto found = call.find(key);
  if (!found) return;
  const Entry* const entry = *found;
  if (entry == nullptr) return call.reply.null();
  if (!failure.empty()) return call.reply.error(failure);
  const bool changes = options.expires_at || (options.persist && entry->expires_at);
  if (changes && !call.may_change(key)) return;
  answer_value(call.reply, entry);
  if (!changes) return;
  if (options.expires_at && *options.expires_at <= call.now) {
    call.erase(key);
  } else {
    call.set_expiry(key, options.expires_at, options.expires_at ? "expire" : "persist");
  }
}

void run_mget(CommandContext& call) {
  const std::size_t begin = call.reply.out().size();
  call.reply.array(call.args.size() - 1);
  for (const std::string_view key : call.args.subspan(1)) {
    const auto found = call.overlay.find(call.ns, key);
    if (!found) {
      call.reply.out().resize(begin);
      return call.reply.error(error_text(found.error()));
    }
    answer_value(call.reply, *found);
  }
}

void run_mset(CommandContext& call) {
  if (call.args.size() % 2 == 0) {
    return call.reply.error("ERR wrong number of arguments for 'mset' command");
  }
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    if (!call.may_change(call.args[i])) return;
  }
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    set_plainly(call, call.args[i], call.args[i + 1]);
  }
  call.reply.ok();
}

void run_msetnx(CommandContext& call) {
  if (call.args.size() % 2 == 0) {
    return call.reply.error("ERR wrong number of arguments for 'msetnx' command");
  }
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    const auto found = call.find(call.args[i]);
    if (!found) return;
    if (*found != nullptr) return call.reply.integer(0);
    if (!call.may_change(call.args[i])) return;
  }
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    set_plainly(call, call.args[i], call.args[i + 1]);
  }
  call.reply.integer(1);
}

void run_append(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found || !call.may_change(call.args[1])) return;
  Entry changed = copy_of(*found);
  if (changed.value.size() + call.args[2].size() > storage::kValueBytesMax) {
    return call.reply.error(kStringTooLong);
  }
  changed.value.append(call.args[2]);
  call.reply.integer(static_cast<std::int64_t>(changed.value.size()));
  call.put(call.args[1], std::move(changed), "append");
}

void run_strlen(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  call.reply.integer(*found == nullptr ? 0 : static_cast<std::int64_t>((*found)->value.size()));
}

void run_getrange(CommandContext& call) {
  auto start = call.integer(2);
  if (!start) return;
  auto end = call.integer(3);
  if (!end) return;
  const auto found = call.find(call.args[1]);
  if (!found) return;
  const auto size = *found == nullptr ? 0 : static_cast<std::int64_t>((*found)->value.size());
  if (*start < 0 && *end < 0 && *start > *end) return call.reply.bulk("");
  if (*start < 0) start = std::max<std::int64_t>(0, *start + size);
  if (*end < 0) end = std::max<std::int64_t>(0, *end + size);
  end = std::min(*end, size - 1);
  if (size == 0 || *start > *end) return call.reply.bulk("");
  call.reply.bulk(
      std::string_view((*found)->value)
          .substr(static_cast<std::size_t>(*start), static_cast<std::size_t>(*end - *start + 1)));
}

void run_setrange(CommandContext& call) {
  const auto offset = call.integer(2);
  if (!offset) return;
  if (*offset < 0) return call.reply.error("ERR offset is out of range");
  const std::string_view key = call.args[1], piece = call.args[3];
  const auto found = call.find(key);
  if (!found) return;
  Entry changed = copy_of(*found);
  if (piece.empty()) {
    return call.reply.integer(static_cast<std::int64_t>(changed.value.size()));
  }
  const auto at = static_cast<std::uint64_t>(*offset);
  if (at > storage::kValueBytesMax || at + piece.size() > storage::kValueBytesMax) {
    return call.reply.error(kStringTooLong);
  }
  if (!call.may_change(key)) return;
  if (changed.value.size() < at + piece.size()) changed.value.resize(at + piece.size());
  std::copy(piece.begin(), piece.end(), changed.value.begin() + static_cast<std::ptrdiff_t>(at));
  call.reply.integer(static_cast<std::int64_t>(changed.value.size()));
  call.put(key, std::move(changed), "setrange");
}

std::string read_delta(std::string_view name, Arguments args, std::int64_t& delta) {
  delta = 1;
  if (args.size() == 3) {
    const auto given = to_integer(args[2]);
    if (!given) return std::string(kNotInteger);
    delta = *given;
  }
  if (name.starts_with("decr")) {
    if (delta == std::numeric_limits<std::int64_t>::min()) return "ERR decrement would overflow";
    delta = -delta;
  }
  return {};
}

void run_incr(CommandContext& call) {
  std::int64_t delta = 0;
  const std::string failure = read_delta(call.name, call.args, delta);
  if (!failure.empty()) return call.reply.error(failure);
  const auto found = call.find(call.args[1]);
  if (!found) return;
  Entry changed = copy_of(*found);
  const auto number =
      *found == nullptr ? std::optional<std::int64_t>(0) : to_integer(changed.value);
  if (!number) return call.reply.error(kNotInteger);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*number, delta, &sum)) return call.reply.error(kWouldOverflow);
  if (!call.may_change(call.args[1])) return;
  changed.value = std::to_string(sum);
  call.put(call.args[1], std::move(changed), "incrby");
  call.reply.integer(sum);
}

void run_incrbyfloat(CommandContext& call) {
  const auto found = call.find(call.args[1]);
  if (!found) return;
  Entry changed = copy_of(*found);
  const auto number =
      *found == nullptr ? std::optional<long double>(0.0L) : to_float(changed.value);
  const auto delta = to_float(call.args[2]);
  if (!number || !delta) return call.reply.error("ERR value is not a valid float");
  const long double sum = *number + *delta;
  if (std::isnan(sum) || std::isinf(sum)) {
    return call.reply.error("ERR increment would produce NaN or Infinity");
  }
  if (!call.may_change(call.args[1])) return;
  changed.value = float_text(sum);
  call.reply.bulk(changed.value);
  call.put(call.args[1], std::move(changed), "incrbyfloat");
}

}  // namespace edged::redis
