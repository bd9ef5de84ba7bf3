// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/rest_body.h"

#include <utility>

namespace edged::kv_http {

namespace asio = boost::asio;

asio::awaitable<Result<std::string>> read_whole_body(http::Exchange& exchange,
                                                     std::size_t bytes_max) {
  std::string body;
  for (;;) {
    Result<std::string> piece = co_await exchange.read_body(64 * 1024);
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return body;
    if (piece->size() > bytes_max - body.size()) {
      co_return Status(Code::kTooLarge, "payload too large");
    }
    body += *piece;
  }
}

}  // namespace edged::kv_http
