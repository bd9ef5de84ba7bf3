// SPDX-License-Identifier: Apache-2.0
// Sizes, expiry, conditions, sums.
#include "kvstore/storage/write/operation_rules.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <variant>

namespace edged::storage {
namespace {

WriteOutcome check_sizes(const Put& put) {
  const std::uint64_t value_bytes = put.staged.id != 0 ? put.staged.bytes : put.value.size();
  if (value_bytes > kValueBytesMax) return refusal(Code::kTooLarge, "value is larger than 25 MiB");
  if (put.staged.id != 0 && !put.value.empty()) {
    return refusal(Code::kInvalidArgument, "a put cannot have both a value and an upload");
  }
  if (put.metadata.size() > kMetadataBytesMax) {
    return refusal(Code::kTooLarge, "metadata is longer than 1024 bytes");
  }
  return {};
}

WriteOutcome check_more(const Put& put) {
  return check_sizes(put);
}

WriteOutcome check_more(const Delete& del) {
  if (del.condition != Condition::kAbsent) return {};
  return refusal(Code::kInvalidArgument, "a delete cannot require the key to be absent");
}

WriteOutcome check_more(const Touch& touch) {
  if (touch.condition != Condition::kAbsent) return {};
  return refusal(Code::kInvalidArgument, "a touch cannot require the key to be absent");
}

WriteOutcome check_more(const Add& /*add*/) {
  return {};
}

WriteOutcome check_more(const Check& check) {
  if (check.condition != Condition::kNone) return {};
  return refusal(Code::kInvalidArgument, "a check needs a condition");
}

}  // namespace

WriteOutcome refusal(Code code, std::string message) {
  WriteOutcome outcome;
  outcome.code = code;
  outcome.message = std::move(message);
  return outcome;
}

WriteOutcome refusal(const Status& status) {
  return refusal(status.code(), status.message());
}

WriteOutcome check_operation(const Operation& operation) {
  return std::visit(
      [](const auto& op) -> WriteOutcome {
        if (op.key.empty()) return refusal(Code::kInvalidArgument, "key is empty");
        if (op.key.size() > kKeyBytesMax) {
          return refusal(Code::kTooLarge, "key is longer than 512 bytes");
        }
        return check_more(op);
      },
      operation);
}

std::size_t payload_bytes(const Operation& operation) {
  std::size_t bytes = std::visit([](const auto& op) { return op.key.size(); }, operation);
  if (const auto* put = std::get_if<Put>(&operation)) {
    bytes += put->value.size() + put->metadata.size();
  }
  return bytes;
}

Result<std::uint64_t> resolve_expiry(const std::optional<std::chrono::milliseconds>& ttl,
                                     const std::optional<WallTime>& expires_at,
                                     std::int64_t now_ms) {
  if (!ttl && !expires_at) return std::uint64_t{0};
  constexpr auto kLast = static_cast<std::int64_t>(kExpiryMsMax);
  std::int64_t at_ms = 0;
  if (ttl) {
    if (ttl->count() <= 0) return Status(Code::kInvalidArgument, "ttl must be above zero");
    at_ms = ttl->count() > kLast ? kLast + 1 : now_ms + ttl->count();
  } else {
    at_ms = to_unix_ms(*expires_at);
  }
  if (at_ms > kLast) return Status(Code::kInvalidArgument, "expiration is after the year 2199");
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, at_ms));
}

WriteOutcome judge(const Found& found, Condition condition, Version version, bool needs_entry) {
  WriteOutcome outcome;
  switch (condition) {
    case Condition::kNone:
      break;
    case Condition::kAbsent:
      if (found.live) {
        outcome = refusal(Code::kExists, "key exists");
        outcome.version = found.version;
      }
      return outcome;
    case Condition::kPresent:
      if (!found.live) return refusal(Code::kNotFound, "no such key");
      break;
    case Condition::kVersion:
      if (!found.live && needs_entry) return refusal(Code::kNotFound, "no such key");
      if (!found.live || found.version != version) {
        outcome = refusal(Code::kVersionMismatch, "key has another version");
        outcome.version = found.live ? found.version : 0;
      }
      break;
  }
  return outcome;
}

Result<std::int64_t> add_to(std::string_view value, std::int64_t delta) {
  std::int64_t number = 0;
  const char* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Status(Code::kInvalidArgument, "value is not a decimal 64-bit integer");
  }
  std::int64_t sum = 0;
  if (__builtin_add_overflow(number, delta, &sum)) {
    return Status(Code::kInvalidArgument, "the sum does not fit 64 bits");
  }
  return sum;
}

}  // namespace edged::storage
