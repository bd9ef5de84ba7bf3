// SPDX-License-Identifier: Apache-2.0
// The options of SET and GETEX. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kvstore/redis/command_parser.h"
#include "proto/base/clock.h"

namespace edged::redis {

struct SetOptions {
  bool absent_only = false;   // NX
  bool present_only = false;  // XX
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;                      // of GETEX
  std::optional<std::string_view> if_equal;  // IFEQ
  std::optional<WallTime> expires_at;        // EX, PX, EXAT, PXAT
  // For a store that judges it itself; with EX and PX.
  std::optional<std::chrono::milliseconds> ttl;
};

// Reads the options behind key and value of SET, or behind the key of GETEX. Returns the error's
// text as Redis has it; empty if the options were understood.
std::string read_set_options(
    Arguments options, bool of_getex, std::string_view command, WallTime now, SetOptions& result);

}  // namespace edged::redis
