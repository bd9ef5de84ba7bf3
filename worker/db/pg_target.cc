// SPDX-License-Identifier: Apache-2.0
// Connection settings: parsing with libpq's own parser, resolving with Asio's resolver.
#include "worker/db/pg_target.h"

#include <libpq-fe.h>

#include <boost/asio.hpp>
#include <cstdlib>
#include <memory>
#include <utility>

namespace edged::db {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using SteadyTime = std::chrono::steady_clock::time_point;

std::vector<std::string> split_commas(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = list.find(',', begin);
    parts.push_back(list.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

std::string join_commas(const std::vector<PgHost>& hosts, std::string PgHost::*field) {
  std::string list;
  for (const PgHost& host : hosts) {
    if (&host != &hosts.front()) list += ',';
    list += host.*field;
  }
  return list;
}

std::string value_or_environment(const PgSettings& settings,
                                 const char* key,
                                 const char* variable) {
  if (const auto found = settings.find(key); found != settings.end()) return found->second;
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : std::string(value);
}

// Asks for the addresses of a name. The resolver's thread cannot be interrupted, so a late answer
// finds only this state.
struct Lookup {
  Lookup(const asio::any_io_executor& executor, SteadyTime deadline)
      : resolver(executor), done(executor, deadline) {}
  tcp::resolver resolver;
  asio::steady_timer done;
  std::vector<std::string> addresses;
  std::string error = "no answer from the DNS in time";
};

asio::awaitable<Result<std::vector<std::string>>> lookup(asio::any_io_executor executor,
                                                         std::string name,
                                                         SteadyTime deadline) {
  const auto state = std::make_shared<Lookup>(executor, deadline);
  state->resolver.async_resolve(
      name,
      "",
      [state](const boost::system::error_code& error, const tcp::resolver::results_type& found) {
        if (error) state->error = error.message();
        for (const auto& entry : found) {
          state->addresses.push_back(entry.endpoint().address().to_string());
        }
        state->done.cancel();
      });
  co_await state->done.async_wait(asio::as_tuple(asio::use_awaitable));
  if (state->addresses.empty()) {
    co_return Status(Code::kUnavailable,
                     "could not resolve PostgreSQL host \"" + name + "\": " + state->error);
  }
  co_return state->addresses;
}

}  // namespace

Result<PgSettings> parse_settings(const PgConnectOptions& options) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(options.url.c_str(), &error), PQconninfoFree);
  PQfreemem(error);  // it may quote the URL, password included
  if (parsed == nullptr) {
    return Status(
        Code::kInvalidArgument,
        "could not parse the PostgreSQL URL: neither a connection URI nor a keyword string");
  }
  PgSettings settings{{"client_encoding", "UTF8"},
                      {"fallback_application_name", options.application_name},
                      {"keepalives_idle", "30"},
                      {"keepalives_interval", "10"},
                      {"keepalives_count", "3"},
                      {"tcp_user_timeout", "60000"}};
  // Looking for Kerberos credentials blocks; who uses them says so in the URL.
  if (std::getenv("PGGSSENCMODE") == nullptr) settings["gssencmode"] = "disable";
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr && option->val[0] != '\0') settings[option->keyword] = option->val;
  }
  if (options.replication) settings["replication"] = "database";
  if (!options.session_state) return settings;  // PgBouncer refuses "options"
  std::string& session = settings["options"];
  if (!session.empty()) session += ' ';
  session += "-c statement_timeout=" + std::to_string(options.statement_timeout.count()) +
             " -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres";
  return settings;
}

Result<std::vector<PgHost>> list_hosts(const PgSettings& settings) {
  const std::string host_list = value_or_environment(settings, "host", "PGHOST");
  const std::string address_list = value_or_environment(settings, "hostaddr", "PGHOSTADDR");
  const std::vector<std::string> names = split_commas(host_list);
  const std::vector<std::string> addresses = split_commas(address_list);
  const std::vector<std::string> ports =
      split_commas(value_or_environment(settings, "port", "PGPORT"));
  const std::size_t count = address_list.empty() ? names.size() : addresses.size();
  const bool names_match = host_list.empty() || names.size() == count;
  if (!names_match || (ports.size() != 1 && ports.size() != count)) {
    return Status(Code::kInvalidArgument,
                  "could not read the PostgreSQL URL: hosts, addresses and ports differ in number");
  }
  std::vector<PgHost> hosts(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!host_list.empty()) hosts[i].host = names[i];
    if (!address_list.empty()) hosts[i].address = addresses[i];
    hosts[i].port = ports.size() == 1 ? ports[0] : ports[i];
  }
  return hosts;
}

bool needs_resolving(const PgHost& host) {
  if (!host.address.empty() || host.host.empty()) return false;
  if (host.host[0] == '/' || host.host[0] == '@') return false;
  boost::system::error_code not_an_address;
  asio::ip::make_address(host.host, not_an_address);
  return static_cast<bool>(not_an_address);
}

asio::awaitable<Result<PgSettings>> resolve_settings(asio::any_io_executor executor,
                                                     PgSettings settings,
                                                     SteadyTime deadline) {
  Result<std::vector<PgHost>> hosts = list_hosts(settings);
  if (!hosts) co_return hosts.error();
  std::vector<PgHost> resolved;
  Status failure;
  bool any_name = false;
  for (const PgHost& host : *hosts) {
    if (!needs_resolving(host)) {
      resolved.push_back(host);
      continue;
    }
    any_name = true;
    Result<std::vector<std::string>> addresses = co_await lookup(executor, host.host, deadline);
    if (!addresses) {
      failure = addresses.error();
      continue;
    }
    for (std::string& address : *addresses) {
      resolved.push_back({host.host, std::move(address), host.port});
    }
  }
  if (!any_name) co_return settings;
  if (resolved.empty()) co_return failure;
  settings["host"] = join_commas(resolved, &PgHost::host);
  settings["hostaddr"] = join_commas(resolved, &PgHost::address);
  settings["port"] = join_commas(resolved, &PgHost::port);
  co_return settings;
}

}  // namespace edged::db
