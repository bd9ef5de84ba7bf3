// SPDX-License-Identifier: Apache-2.0
// What the node's Redis face can be configured to. Plain values; tools/edged fills them in.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/storage/store.h"
#include "proto/net/tls.h"

namespace edged::redis {

struct RedisLimits {
  std::size_t connections_max = 10'000;
  // What may wait to be sent to one client before no more of its commands are taken.
  std::size_t out_bytes_max = 1024 * 1024;
  // The memory that all connections together may use, besides 64 KiB for each.
  std::size_t connection_bytes_max = 256 * 1024 * 1024;
  // The time that a peer has to show a token, on a node that wants one.
  std::chrono::milliseconds auth_timeout{10'000};
  // The time in which a command that has begun must be complete. A large one gets a second more for
  // each 64 KiB.
  std::chrono::milliseconds command_timeout{60'000};
  std::chrono::milliseconds write_timeout{60'000};
  std::chrono::milliseconds idle_timeout{0};  // 0: none, as Redis
  std::chrono::milliseconds drain_timeout{10'000};
};

struct RedisOptions {
  std::string address;                    // "127.0.0.1:6379", "tls:[::1]:0", "unix:PATH"
  std::shared_ptr<net::ServerTls> tls{};  // for a tls: address
  std::vector<std::string> databases{};   // see databases.h
  std::size_t io_threads = 0;             // 0: cores, at most 4
  storage::Durability durability = storage::Durability::kWal;
  std::string version;  // of this program, for INFO
  RedisLimits limits{};
};

}  // namespace edged::redis
