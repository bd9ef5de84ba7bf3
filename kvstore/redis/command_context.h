// SPDX-License-Identifier: Apache-2.0
// What a command that runs over an overlay is given, and short ways to answer. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/redis/command_parser.h"
#include "kvstore/redis/databases.h"
#include "kvstore/redis/overlay.h"
#include "kvstore/redis/reply.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::redis {

inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
inline constexpr std::string_view kWouldOverflow = "ERR increment or decrement would overflow";

// "STALE …", "NOPERM …": the code of Redis or our own, and what went wrong.
std::string error_text(const Status& status);
bool equals_ignoring_case(std::string_view text, std::string_view lower);
// The moment that lies `amount` seconds or milliseconds behind `now`, or behind 1970 if `absolute`.
// Nothing if the store cannot keep such a late time.
std::optional<WallTime> expiry_of(std::int64_t amount, bool seconds, bool absolute, WallTime now);
// "ERR invalid expire time in 'set' command".
std::string invalid_expire(std::string_view command);

struct CommandContext {
  std::string_view name;  // in lower case
  Arguments args;         // with the name
  Overlay& overlay;
  storage::NamespaceNumber ns;
  const DatabaseNumbers& databases;
  WallTime now;
  Reply& reply;

  // The key's entry, or null if the key is absent. Nothing if it could not be read; then the error
  // has been answered.
  std::optional<const storage::Entry*> find(std::string_view key);
  // False if the key may not be changed; then the error has been answered.
  bool may_change(std::string_view key);
  // args[i] as a whole number. Nothing if it is none; then the error has been answered.
  std::optional<std::int64_t> integer(std::size_t i);
  void put(std::string_view key, storage::Entry entry, std::string_view event);
  void erase(std::string_view key, std::string_view event = "del");
  void set_expiry(std::string_view key, std::optional<WallTime> expires_at, std::string_view event);
};

using RunCommand = void (*)(CommandContext&);

}  // namespace edged::redis
