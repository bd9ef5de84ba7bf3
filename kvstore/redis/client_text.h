// SPDX-License-Identifier: Apache-2.0
// CLIENT LIST's lines, and which clients CLIENT LIST and CLIENT KILL mean. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/redis/client_list.h"
#include "kvstore/redis/command_parser.h"

namespace edged::redis {

// The version of Redis whose commands this face follows: clients choose what they send by it.
inline constexpr std::string_view kRedisVersion = "7.0.15";
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// "id=3 addr=127.0.0.1:34020 … \n", as Redis has it.
std::string client_line(ClientInfo& info, std::int64_t now_s);

struct ClientFilter {
  std::vector<std::uint64_t> ids;  // empty: any
  std::optional<std::string_view> address, own_address, user;
  bool normal_only = true;  // TYPE normal, or no TYPE
  bool skip_me = false;

  bool holds(ClientInfo& info) const;
};

// Returns the error's text; empty if the options were understood.
std::string read_client_filter(Arguments options, ClientFilter& filter);

}  // namespace edged::redis
