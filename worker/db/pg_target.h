// SPDX-License-Identifier: Apache-2.0
// What libpq is told when it connects: the URL taken apart, our settings added, host names
// resolved, because libpq would block the thread while it asks the DNS, and several servers as one
// attempt each. `host` stays beside `hostaddr`, so TLS still verifies the name. Values may hold a
// password: never log them. Executor's thread.
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
  // For the DNS, then for each server: see time_for_each().
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

// What every session is set to, whatever the role, the database, the server or the URL's `options`
// say: the settings that change how a value is printed, or how a statement of ours runs. The list
// is that of PostgreSQL's own pg_dump and logical replication worker, less what only these need.
struct PgSetting {
  const char* name;
  const char* value;
};
inline constexpr PgSetting kPinnedSettings[] = {
    {"timezone", "UTC"},
    {"datestyle", "ISO"},
    {"intervalstyle", "postgres"},
    {"extra_float_digits", "1"},  // shortest text that is exact; the server's default
    {"bytea_output", "hex"},
    {"quote_all_identifiers", "off"},
    {"standard_conforming_strings", "on"},
    {"default_transaction_isolation", "read committed"},
    {"jit", "off"},  // compiling a statement takes longer than running one of ours
};

// libpq sends PGTZ, PGDATESTYLE and PGGEQO of the environment after `options`, so they would beat
// the pinned settings. Removes them. Call before the program starts a thread.
void ignore_session_environment();

// The settings of `options`. Sessions with state are set to statement_timeout, kPinnedSettings and
// UTF-8, replication connections also to what keeps their output complete.
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

// The hosts with every name accompanied by its address, one entry for each, and what became of
// names without one. Names are asked for side by side; none keeps the others waiting after
// `deadline`.
struct ResolvedHosts {
  std::vector<PgHost> hosts;
  std::vector<Status> failures;
};
boost::asio::awaitable<ResolvedHosts> resolve_hosts(boost::asio::any_io_executor executor,
                                                    std::vector<PgHost> hosts,
                                                    std::chrono::steady_clock::time_point deadline);

// One server to try, with settings for it alone: libpq's own time for one of several is without
// bound unless it may block.
struct PgAttempt {
  std::size_t host;  // its place in the list: a server may be tried twice
  PgSettings settings;
};

// What to try, in order, until one connects. `prefer-standby` is two rounds, as with libpq: first
// for a standby, then for any server. A lone host as the URL has it keeps the settings as they are:
// a service file may say more.
std::vector<PgAttempt> plan_attempts(const PgSettings& settings, const std::vector<PgHost>& hosts);

// How long each of so many attempts may take: `connect_timeout`, or an equal share of four times
// that.
std::chrono::milliseconds time_for_each(std::chrono::milliseconds connect_timeout,
                                        std::size_t attempts);

}  // namespace edged::db
