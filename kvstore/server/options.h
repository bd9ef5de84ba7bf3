// SPDX-License-Identifier: Apache-2.0
// What the node's binary face can be configured to. Plain values; tools/edged fills them in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/access/access_table.h"
#include "kvstore/storage/store.h"
#include "proto/net/tls.h"
#include "proto/wire/limits.h"

namespace edged::server {

struct Limits {
  // Of them, the last few are for the unix socket's peers with the node's own uid or root's.
  std::size_t connections_max = wire::kConnectionsMax;
  // Before AUTH, where tokens are wanted: the largest frame, what may wait to be sent, and the
  // time.
  std::size_t stranger_body_bytes_max = 8 * 1024;
  std::size_t stranger_out_bytes_max = 16 * 1024;
  std::chrono::milliseconds auth_timeout{10'000};
  std::uint32_t body_bytes_max = wire::kBodyBytesMax;
  std::size_t requests_in_flight_max = wire::kRequestsInFlightMax;
  std::size_t in_flight_bytes_max = wire::kInFlightBytesMax;
  std::size_t out_bytes_max = wire::kOutBytesMax;
  // More requests than this waiting for writer or disk, of all connections: those with the most are
  // told to wait.
  std::size_t under_way_max = 8192;
  // That all connections may hold together, beside 64 KiB each.
  std::size_t connection_bytes_max = 512 * 1024 * 1024;
  std::chrono::milliseconds hello_timeout = wire::kHelloTimeout;
  std::chrono::milliseconds frame_timeout = wire::kFrameTimeout;
  std::chrono::milliseconds idle_timeout = wire::kIdleTimeout;
  std::chrono::milliseconds write_timeout = wire::kWriteTimeout;
  // How long a connection that ended is read on, so that its last response is not lost to a reset.
  std::chrono::milliseconds linger_timeout{1000};
  std::chrono::milliseconds drain_timeout{10'000};
  // A connection that asked for nothing so long after it was told to go is ended.
  std::chrono::milliseconds drain_silence{250};
};

struct ServerOptions {
  std::vector<std::string> listen{};      // "127.0.0.1:4780", "[::1]:0", "tls:0.0.0.0:4780"
  std::shared_ptr<net::ServerTls> tls{};  // for the tls: addresses; null: there may be none
  std::string unix_path;                  // empty: none
  std::size_t io_threads = 0;             // 0: cores, at most 4
  std::size_t storage_threads = 2;
  storage::Durability durability = storage::Durability::kWal;  // of writes that do not ask for sync
  Limits limits;
  access::AccessTable* access = nullptr;  // outlives the server; null: open to everyone
};

}  // namespace edged::server
