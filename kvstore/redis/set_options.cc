// SPDX-License-Identifier: Apache-2.0
// See set_options.h.
#include "kvstore/redis/set_options.h"

#include "kvstore/redis/command_context.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

// An option that takes a time.
struct Unit {
  std::string_view name;
  bool seconds;
  bool absolute;
};
constexpr Unit kUnits[] = {
    {"ex", true, false}, {"px", false, false}, {"exat", true, true}, {"pxat", false, true}};

const Unit* find_unit(std::string_view option) {
  for (const Unit& unit : kUnits) {
    if (equals_ignoring_case(option, unit.name)) return &unit;
  }
  return nullptr;
}

std::string read_time(const Unit& unit,
                      std::string_view text,
                      std::string_view command,
                      WallTime now,
                      SetOptions& result) {
  const auto amount = to_integer(text);
  if (!amount) return std::string(kNotInteger);
  if (*amount <= 0) return invalid_expire(command);
  result.expires_at = expiry_of(*amount, unit.seconds, unit.absolute, now);
  if (!result.expires_at) return invalid_expire(command);
  if (!unit.absolute) {
    result.ttl = unit.seconds ? std::chrono::seconds(*amount) : std::chrono::milliseconds(*amount);
  }
  return {};
}

// An option without an argument. False: it is none, or does not go with those before.
bool read_word(std::string_view option, bool of_getex, bool has_time, SetOptions& result) {
  if (of_getex) {
    if (!equals_ignoring_case(option, "persist") || has_time) return false;
    result.persist = true;
    return true;
  }
  if (equals_ignoring_case(option, "nx")) {
    result.absent_only = true;
  } else if (equals_ignoring_case(option, "xx")) {
    result.present_only = true;
  } else if (equals_ignoring_case(option, "get")) {
    result.get = true;
  } else if (equals_ignoring_case(option, "keepttl") && !has_time) {
    result.keep_ttl = true;
  } else {
    return false;
  }
  return true;
}

bool is_consistent(const SetOptions& options) {
  const int conditions =
      (options.absent_only ? 1 : 0) + (options.present_only ? 1 : 0) + (options.if_equal ? 1 : 0);
  return conditions <= 1;
}

}  // namespace

std::string read_set_options(
    Arguments options, bool of_getex, std::string_view command, WallTime now, SetOptions& result) {
  const Unit* unit = nullptr;
  std::string_view time;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string_view option = options[i];
    const Unit* const found = find_unit(option);
    if (found != nullptr) {
      if (unit != nullptr || result.keep_ttl || result.persist || i + 1 == options.size()) {
        return std::string(kSyntaxError);
      }
      unit = found;
      time = options[++i];
    } else if (!of_getex && equals_ignoring_case(option, "ifeq") && i + 1 < options.size() &&
               !result.if_equal) {
      result.if_equal = options[++i];
    } else if (!read_word(option, of_getex, unit != nullptr, result)) {
      return std::string(kSyntaxError);
    }
  }
  if (!is_consistent(result)) return std::string(kSyntaxError);
  return unit == nullptr ? std::string() : read_time(*unit, time, command, now, result);
}

}  // namespace edged::redis
