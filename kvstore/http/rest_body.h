// SPDX-License-Identifier: Apache-2.0
// Bodies of requests of the REST face that are read as a whole. Internal to the face. Thread: the
// server's executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <string>

#include "proto/base/status.h"
#include "proto/http/exchange.h"

namespace edged::kv_http {

// The whole body. Errors: those of Exchange::read_body(); kTooLarge (above `bytes_max`; the rest is
// not read).
boost::asio::awaitable<Result<std::string>> read_whole_body(http::Exchange& exchange,
                                                            std::size_t bytes_max);

}  // namespace edged::kv_http
