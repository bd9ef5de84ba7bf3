// SPDX-License-Identifier: Apache-2.0
// See command_context.h.
#include "kvstore/redis/command_context.h"

#include <algorithm>
#include <limits>

#include "kvstore/redis/text_numbers.h"

namespace edged::redis {

std::string error_text(const Status& status) {
  const auto with = [&](const char* code) { return code + (" " + status.message()); };
  switch (status.code()) {
    case Code::kStale:
      return with("STALE");
    case Code::kDenied:
    case Code::kNamespaceNotFound:
      return with("NOPERM");
    case Code::kUnauthenticated:
      return "NOAUTH Authentication required.";
    case Code::kBusy:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return with("TRYAGAIN");
    case Code::kDiskFull:
      return with("OOM");
    case Code::kConflict:
      return with("MIRRORED");
    default:
      return with("ERR");
  }
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

std::optional<WallTime> expiry_of(std::int64_t amount, bool seconds, bool absolute, WallTime now) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (seconds) {
    if (amount > kMax / 1000 || amount < -kMax / 1000) return std::nullopt;
    amount *= 1000;
  }
  const std::int64_t base = absolute ? 0 : to_unix_ms(now);
  constexpr auto kLatest = static_cast<std::int64_t>(storage::kExpiryMsMax);
  if (amount > kLatest - base) return std::nullopt;
  // A time before 1970 becomes 1970: the store keeps no earlier one, and the entry has expired in
  // any case.
  return from_unix_ms(amount < -base ? 0 : base + amount);
}

std::string invalid_expire(std::string_view command) {
  std::string text = "ERR invalid expire time in '";
  text.append(command).append("' command");
  return text;
}

std::optional<const storage::Entry*> CommandContext::find(std::string_view key) {
  const auto found = overlay.find(ns, key);
  if (found) return *found;
  reply.error(error_text(found.error()));
  return std::nullopt;
}

bool CommandContext::may_change(std::string_view key) {
  const Status allowed = overlay.may_change(ns, key);
  if (allowed.ok()) return true;
  reply.error(error_text(allowed));
  return false;
}

std::optional<std::int64_t> CommandContext::integer(std::size_t i) {
  const auto number = to_integer(args[i]);
  if (!number) reply.error(kNotInteger);
  return number;
}

void CommandContext::put(std::string_view key, storage::Entry entry, std::string_view event) {
  overlay.put(ns, key, std::move(entry));
  overlay.events().push_back({ns, std::string(key), event});
}

void CommandContext::erase(std::string_view key, std::string_view event) {
  overlay.erase(ns, key);
  overlay.events().push_back({ns, std::string(key), event});
}

void CommandContext::set_expiry(std::string_view key,
                                std::optional<WallTime> expires_at,
                                std::string_view event) {
  overlay.set_expiry(ns, key, expires_at);
  overlay.events().push_back({ns, std::string(key), event});
}

}  // namespace edged::redis
