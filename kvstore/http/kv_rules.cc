// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/kv_rules.h"

#include <limits>
#include <utility>

#include "kvstore/storage/store.h"
#include "proto/base/numbers.h"
#include "proto/base/utf8.h"
#include "proto/http/request.h"

namespace edged::kv_http {
namespace {

static_assert(kKeyBytesMax <= storage::kKeyBytesMax);
static_assert(kValueBytesMax <= storage::kValueBytesMax);
static_assert(kMetadataBytesMax <= storage::kMetadataBytesMax);

constexpr int kCodePayloadTooLarge = 10024;
constexpr int kCodeBadLimit = 10028;
constexpr int kCodeBadRequest = 10029;
constexpr int kCodeKeyTooLong = 10030;
constexpr int kCodeBadExpiration = 10033;
constexpr int kCodeBadTtl = 10034;
constexpr int kCodeBadKey = 10042;
constexpr int kCodeBadMetadata = 10047;

std::string text_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

// "Invalid NAME of VALUE. HINT"
Refusal invalid(int code, std::string_view name, std::string_view value, std::string_view hint) {
  return {400, code, text_of({"Invalid ", name, " of ", value, ". ", hint})};
}

Refusal too_long(std::size_t bytes) {
  const std::string count = std::to_string(bytes);
  const std::string limit = std::to_string(kKeyBytesMax);
  return {
      414,
      kCodeKeyTooLong,
      text_of({"UTF-8 encoded length of ", count, " exceeds key length limit of ", limit, "."})};
}

std::int64_t floor_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

constexpr std::int64_t kExpirationMax = static_cast<std::int64_t>(storage::kExpiryMsMax / 1000);

Refusal too_late(int code, std::string_view name, std::string_view value) {
  return invalid(code, name, value, "Entries must expire before the year 2200.");
}

// True if `text` is a whole number that is too large for 64 bits.
bool is_huge(std::string_view text) {
  return !text.empty() && text.front() != '0' &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Check check_key(std::string_view key) {
  if (key.empty()) return Refusal{400, kCodeBadKey, "Key names must not be empty"};
  if (key == "." || key == "..") {
    return Refusal{400,
                   kCodeBadKey,
                   text_of({"Illegal key name \"", key, "\". Please use a different name."})};
  }
  if (!is_utf8(key)) return Refusal{400, kCodeBadKey, "Could not URL-decode key name"};
  if (key.size() > kKeyBytesMax) return too_long(key.size());
  return std::nullopt;
}

Checked<std::string> decode_key(std::string_view segment) {
  std::optional<std::string> key = http::percent_decode(segment, false);
  if (!key) return Refusal{400, kCodeBadKey, "Could not URL-decode key name"};
  if (Check refused = check_key(*key)) return *std::move(refused);
  return *std::move(key);
}

Check check_prefix(std::string_view prefix) {
  if (!is_utf8(prefix)) return Refusal{400, kCodeBadKey, "Could not URL-decode key name"};
  return prefix.size() > kKeyBytesMax ? Check(too_long(prefix.size())) : std::nullopt;
}

Checked<Expiry> parse_expiry(std::optional<std::string_view> expiration,
                             std::optional<std::string_view> expiration_ttl,
                             WallTime now) {
  const std::int64_t now_seconds = floor_seconds(now);
  if (expiration_ttl) {
    constexpr std::string_view kName = "expiration_ttl";
    const auto refuse = [&](std::string_view hint) {
      return invalid(kCodeBadTtl, kName, *expiration_ttl, hint);
    };
    if (is_huge(*expiration_ttl) && !parse_int64(*expiration_ttl)) {
      return too_late(kCodeBadTtl, kName, *expiration_ttl);
    }
    const auto ttl = parse_int64(*expiration_ttl);
    if (!ttl || *ttl <= 0) return refuse("Please specify integer greater than 0.");
    if (*ttl < kTtlSecondsMin) return refuse("Expiration TTL must be at least 60.");
    if (*ttl >= kExpirationMax - now_seconds) {
      return too_late(kCodeBadTtl, kName, *expiration_ttl);
    }
    return Expiry{std::nullopt, std::chrono::seconds(*ttl)};
  }
  if (!expiration) return Expiry{};
  constexpr std::string_view kName = "expiration";
  const auto refuse = [&](std::string_view hint) {
    return invalid(kCodeBadExpiration, kName, *expiration, hint);
  };
  if (is_huge(*expiration) && !parse_int64(*expiration)) {
    return too_late(kCodeBadExpiration, kName, *expiration);
  }
  const auto seconds = parse_int64(*expiration);
  if (!seconds || *seconds <= now_seconds) {
    return refuse(
        "Please specify integer greater than the current number of seconds since the UNIX epoch.");
  }
  if (*seconds < now_seconds + kTtlSecondsMin) {
    return refuse("Expiration times must be at least 60 seconds in the future.");
  }
  if (*seconds >= kExpirationMax) return too_late(kCodeBadExpiration, kName, *expiration);
  return Expiry{WallTime(std::chrono::seconds(*seconds)), std::nullopt};
}

Check check_metadata_bytes(std::size_t bytes) {
  if (bytes <= kMetadataBytesMax) return std::nullopt;
  const std::string count = std::to_string(bytes);
  const std::string limit = std::to_string(kMetadataBytesMax);
  return Refusal{413,
                 kCodeBadMetadata,
                 text_of({"Metadata length of ", count, " exceeds limit of ", limit, "."})};
}

Check check_value_bytes(std::uint64_t bytes) {
  if (bytes <= kValueBytesMax) return std::nullopt;
  const std::string count = std::to_string(bytes);
  const std::string limit = std::to_string(kValueBytesMax);
  return Refusal{413,
                 kCodePayloadTooLarge,
                 text_of({"Value length of ", count, " exceeds limit of ", limit, "."})};
}

Check check_cache_ttl(std::string_view text) {
  const auto seconds = parse_int64(text);
  if ((seconds && *seconds >= kCacheTtlSecondsMin) || (!seconds && is_huge(text))) {
    return std::nullopt;
  }
  return invalid(kCodeBadRequest, "cache_ttl", text, "Cache TTL must be at least 30.");
}

Checked<std::uint32_t> parse_list_limit(std::string_view text) {
  const auto limit = parse_int64(text);
  constexpr std::string_view kName = "key_count_limit";
  if ((limit && *limit > kListLimitMax) || (!limit && is_huge(text))) {
    return invalid(kCodeBadLimit, kName, text, "Please specify an integer less than 1000.");
  }
  if (!limit || *limit < 1) {
    return invalid(kCodeBadLimit, kName, text, "Please specify an integer greater than 0.");
  }
  return static_cast<std::uint32_t>(*limit);
}

Check check_bulk_read_keys(std::size_t count) {
  if (count == 0) {
    return Refusal{400, kCodeBadRequest, "You must request a minimum of 1 key"};
  }
  if (count > kBulkReadKeysMax) {
    return Refusal{400, kCodeBadRequest, "You can request a maximum of 100 keys"};
  }
  return std::nullopt;
}

Check check_bulk_read_type(std::string_view type) {
  if (type == "json" || type == "text") return std::nullopt;
  return Refusal{400,
                 kCodeBadRequest,
                 text_of({"\"", type, "\" is not a valid type. Use \"json\" or \"text\""})};
}

Refusal bulk_read_not_json() {
  return {
      400, kCodeBadRequest, "At least one of the requested keys corresponds to a non-json value"};
}

Refusal bulk_read_not_text() {
  return {
      400, kCodeBadRequest, "At least one of the requested keys corresponds to a non-text value"};
}

Refusal bulk_read_too_large() {
  return {413, kCodeBadRequest, "Total size of request exceeds the limit of 25MB"};
}

std::int64_t expiration_seconds(WallTime expires_at) {
  return std::chrono::ceil<std::chrono::seconds>(expires_at).time_since_epoch().count();
}

}  // namespace edged::kv_http
