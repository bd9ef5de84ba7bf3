// SPDX-License-Identifier: Apache-2.0
// The protocols the load generator speaks. Every request is one stored frame into which the key
// (and the id, where there is one) is written, so that asking costs the generator the same in each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::bench {

inline constexpr std::size_t kKeyBytes = 20;  // "section:000000000000"

// A request with gaps.
struct RequestForm {
  std::string bytes{};
  std::size_t key_at = 0;
  std::optional<std::size_t> id_at{};  // u32, little-endian

  void append(std::uint64_t key, std::uint32_t id, std::string& out) const;
};

struct Answer {
  std::size_t bytes = 0;              // 0: it has not arrived whole
  std::optional<std::uint32_t> id{};  // none: answers come in the order of the requests
  bool ok = false;
};

struct Dialect {
  std::string greeting{};                 // what a connection sends first
  std::size_t greeting_answer_bytes = 0;  // and how much comes back
  RequestForm get{}, put{};
  Answer (*read)(const Dialect& dialect, std::string_view bytes) = nullptr;
  std::size_t answer_bytes = 0;  // echo only
};

struct DialectOptions {
  std::size_t value_bytes = 100;
  std::uint64_t ttl_ms = 0;    // of puts; 0: none
  bool sync = false;           // KVB/1: puts ask to be on disk
  std::uint32_t ns = 0;        // KVB/1: the handle
  std::size_t echo_bytes = 0;  // echo: of a request
};

// KVB/1 of docs/protocol.md, without checksums, as the clients of proto/net use it.
Dialect kvb_dialect(const DialectOptions& options);
// RESP 2, as Redis clients use it: GET and SET ... PX.
Dialect resp_dialect(const DialectOptions& options);
// The bytes of a KVB/1 GET, answered with as many as its answer has (echo_server.cc).
Dialect echo_dialect(const DialectOptions& options);

// Creates the namespace "bench" if it is not there, and opens it. `socket` is connected and
// blocking.
Result<std::uint32_t> open_bench_namespace(int socket);

}  // namespace edged::bench
