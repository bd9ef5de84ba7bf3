// SPDX-License-Identifier: Apache-2.0
// The page behind the links of unsubscribe.h, on the worker's HTTP server. GET asks, so that
// programs that follow links in mails change nothing; POST acts, also a mail program's one-click
// (RFC 8058). An address that is suppressed already is answered the same.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "proto/base/status.h"
#include "proto/http/server.h"

namespace edged::mail {

struct UnsubscribeRoutes {
  std::function<std::string()> secret;  // as it is now; empty: the page is not found
  // Stops all mails to an address.
  std::function<boost::asio::awaitable<Status>(std::string address)> suppress;
};

// Before Server::listen().
void add_unsubscribe_routes(http::Server& server, UnsubscribeRoutes routes);

}  // namespace edged::mail
