// SPDX-License-Identifier: Apache-2.0
// What Cloudflare's KV accepts, and in which words it refuses the rest: the rules that the REST
// face and the binding face share. They are Cloudflare's and stricter than those of the store,
// which the binary face shows. Each function answers nothing if its argument is acceptable. Check a
// write in this order: key, time-to-live or expiration, metadata, value. Pure functions; any
// thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proto/base/clock.h"

namespace edged::kv_http {

inline constexpr std::size_t kKeyBytesMax = 512;
inline constexpr std::size_t kValueBytesMax = 25 * 1024 * 1024;
inline constexpr std::size_t kMetadataBytesMax = 1024;
inline constexpr std::int64_t kTtlSecondsMin = 60;
inline constexpr std::int64_t kCacheTtlSecondsMin = 30;
inline constexpr std::uint32_t kListLimitMax = 1000;
inline constexpr std::size_t kBulkReadKeysMax = 100;
// Larger values are sent in pieces, each of which costs two changes of thread.
inline constexpr std::size_t kWholeBytesMax = 256 * 1024;
inline constexpr std::size_t kBulkReadBytesMax = 25 * 1024 * 1024;

// Why a request is refused. The binding face sends `text` as the reason phrase; it may quote what
// the client sent, so it may hold any bytes. The REST face sends `code` and, after the name of its
// operation, `text`.
struct Refusal {
  int status = 400;
  int code = 10029;
  std::string text;

  bool operator==(const Refusal&) const = default;
};

using Check = std::optional<Refusal>;
template <typename T>
using Checked = std::variant<T, Refusal>;

// Not empty, neither "." nor "..", at most 512 bytes of UTF-8.
Check check_key(std::string_view key);
// The key that a path segment names, percent-decoded once ('+' stays) and checked.
Checked<std::string> decode_key(std::string_view segment);
// Of a list: at most 512 bytes.
Check check_prefix(std::string_view prefix);

// When an entry that is written now shall expire: at a time, after a time, or never.
struct Expiry {
  std::optional<WallTime> at;
  std::optional<std::chrono::milliseconds> ttl;

  bool operator==(const Expiry&) const = default;
};
// From the parameters `expiration` and `expiration_ttl` as received: whole seconds in decimal
// digits. If there is a time-to-live, `expiration` is not looked at. The texts quote the parameter
// as received.
Checked<Expiry> parse_expiry(std::optional<std::string_view> expiration,
                             std::optional<std::string_view> expiration_ttl,
                             WallTime now);

Check check_metadata_bytes(std::size_t bytes);
Check check_value_bytes(std::uint64_t bytes);

// The parameter cache_ttl as received. Beyond this check it means nothing on a single node.
Check check_cache_ttl(std::string_view text);

// The parameter key_count_limit as received, 1..1000.
Checked<std::uint32_t> parse_list_limit(std::string_view text);

// The parts of a bulk read.
Check check_bulk_read_keys(std::size_t count);
Check check_bulk_read_type(std::string_view type);
Refusal bulk_read_not_json();
Refusal bulk_read_not_text();
Refusal bulk_read_too_large();

// The time `expires_at` in whole seconds, rounded up: never earlier than the entry is gone.
std::int64_t expiration_seconds(WallTime expires_at);

}  // namespace edged::kv_http
