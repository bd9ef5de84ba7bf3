// SPDX-License-Identifier: Apache-2.0
// One request and its answer, both streamed: how a handler of Server::route_raw reads a body piece
// by piece and answers without holding either whole in memory.
//
//   for (;;) {
//     Result<std::string> piece = co_await exchange.read_body(64 * 1024);
//     if (!piece || piece->empty()) break;
//     …
//   }
//   co_await exchange.send(response);              // a whole answer, or:
//   co_await exchange.begin(head, value_bytes);    // then write() each piece, then end()
//
// The server reads the rest of the body and drops it before the first byte of the answer leaves,
// because many clients lose an answer that comes earlier. It drops at most
// RawOptions::discard_bytes_max; past that it answers and closes the connection.
//
// Waiting for the peer is bounded by ServerOptions::transfer_grace and transfer_rate_min; time that
// the handler takes does not count. A handler that returns without an answer is answered 500; one
// that returns in the middle of an answer ends the connection. Thread: the server's executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"
#include "proto/http/message.h"

namespace edged::http {

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& head() const = 0;
  // True if root or this process's own user opened the other end of a unix socket.
  virtual bool own_peer() const = 0;

  // The next bytes of the body, at least one and at most `bytes_max` (above 0); empty at its end.
  // Errors: kInvalidArgument (the chunked coding is broken), kTooLarge (above
  // RawOptions::body_bytes_max), kUnavailable (the peer is gone or too slow). After an error each
  // further call gives the same one; an answer can still be sent.
  virtual boost::asio::awaitable<Result<std::string>> read_body(std::size_t bytes_max) = 0;

  // Reads the rest of the body and drops it. Errors: kInvalidArgument, kUnavailable as above;
  // kTooLarge: more than RawOptions::discard_bytes_max is left, and the connection will be closed
  // after the answer.
  virtual boost::asio::awaitable<Status> discard_body() = 0;

  // The whole answer, once. To HEAD and with status 204 or 304 its body does not leave. Errors:
  // kUnavailable (the peer is gone or too slow); kInternal (the answer has already begun).
  virtual boost::asio::awaitable<Status> send(Response response) = 0;

  // Begins an answer of `bytes` bytes, or of unknown length (chunked; to HTTP/1.0 it ends with the
  // connection). Nothing leaves before the first write() or end(). Errors: as send().
  virtual boost::asio::awaitable<Status> begin(ResponseHead head,
                                               std::optional<std::uint64_t> bytes) = 0;
  // Returns once the kernel has the piece, so that a slow reader slows the handler. `piece` must
  // stay until then. Errors: kUnavailable; kInternal (not begun, or more than `bytes`).
  virtual boost::asio::awaitable<Status> write(std::string_view piece) = 0;
  // Errors: as write(); kInternal also if less than `bytes` was written: the connection is closed,
  // so that the client sees a broken answer.
  virtual boost::asio::awaitable<Status> end() = 0;
};

using ExchangeHandler = std::function<boost::asio::awaitable<void>(Exchange&)>;

// Bounds of a streamed route.
struct RawOptions {
  std::uint64_t body_bytes_max = 1 << 20;
  // Of a body that the handler did not read.
  std::uint64_t discard_bytes_max = 4 << 20;
};

}  // namespace edged::http
