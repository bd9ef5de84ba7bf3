// SPDX-License-Identifier: Apache-2.0
// What libpq is told when it connects: the URL taken apart, our settings added, and host names
// resolved, because libpq would block the thread while it asks the DNS. `host` stays beside
// `hostaddr`, so TLS still verifies the name. Values may hold a password: never log them.
// Executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged::db {

struct PgConnectOptions {
  std::string url;  // a libpq connection URI or keyword string
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds statement_timeout{5000};  // 0: none
  std::string application_name = "edged";
  bool replication = false;  // a connection for logical replication
  // False: a pooler in transaction mode may stand between. The session is then set up by nothing
  // but what holds for one transaction; PgConnection sends it along with each statement.
  bool session_state = true;
  // Statements that are used again are prepared; not without session state.
  bool prepared_statements = true;
};

// Keyword to value, as PQconnectStartParams takes them.
using PgSettings = std::map<std::string, std::string>;

// The settings of `options`. Sessions with state are set to statement_timeout, UTC and UTF-8.
// Errors: kInvalidArgument if the URL cannot be parsed; its text is not repeated.
Result<PgSettings> parse_settings(const PgConnectOptions& options);

// One of the servers a URL names; `address` empty: a socket directory, or nothing to resolve.
struct PgHost {
  std::string host;
  std::string address;
  std::string port;
};

// The comma-separated lists of the URL side by side.
// Errors: kInvalidArgument if the number of ports or addresses does not match the hosts.
Result<std::vector<PgHost>> list_hosts(const PgSettings& settings);

// True if `host` is a name that the DNS must be asked for: no address, no socket directory.
bool needs_resolving(const PgHost& host);

// Settings with every host name accompanied by its addresses, one entry per address.
// Errors: kUnavailable if no host has an address before the deadline; kInvalidArgument.
boost::asio::awaitable<Result<PgSettings>> resolve_settings(
    boost::asio::any_io_executor executor,
    PgSettings settings,
    std::chrono::steady_clock::time_point deadline);

}  // namespace edged::db
