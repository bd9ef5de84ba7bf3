// SPDX-License-Identifier: Apache-2.0
// Connection settings, parsed with libpq's own parser, and the servers they name.
#include "worker/db/pg_target.h"

#include <libpq-fe.h>

#include <boost/asio.hpp>
#include <cstdlib>
#include <memory>
#include <utility>

#include "worker/db/connection_url.h"
#include "worker/db/name_lookup.h"

namespace edged::db {
namespace {

namespace asio = boost::asio;
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

std::string value_or_environment(const PgSettings& settings,
                                 const char* key,
                                 const char* variable) {
  if (const auto found = settings.find(key); found != settings.end()) return found->second;
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : std::string(value);
}

// For replication connections only: the application's triggers, which may depend on these, do not
// run there.
constexpr PgSetting kPinnedForReplication[] = {
    {"row_security", "off"},  // a policy is an error: it must not leave rows out silently
    {"lock_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0"},
};

void append_setting(const PgSetting& setting, std::string& options) {
  options += std::string(" -c ") + setting.name + "=";
  for (const char* c = setting.value; *c != '\0'; ++c) {
    if (*c == ' ' || *c == '\\') options += '\\';
    options += *c;
  }
}

}  // namespace

void ignore_session_environment() {
  for (const char* variable : {"PGTZ", "PGDATESTYLE", "PGGEQO"}) unsetenv(variable);
}

Result<PgSettings> parse_settings(const PgConnectOptions& options) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(options.url.c_str(), &error), PQconninfoFree);
  PQfreemem(error);  // it may quote the URL, password included
  if (parsed == nullptr) {
    return check_connection_url(options.url).with_context("the URL of PostgreSQL");
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
  settings["client_encoding"] = "UTF8";  // whatever the URL says: every text here is UTF-8
  if (options.replication) settings["replication"] = "database";
  if (!options.session_state) return settings;  // PgBouncer refuses "options"
  std::string& session = settings["options"];
  if (!session.empty()) session += ' ';
  session += "-c statement_timeout=" + std::to_string(options.statement_timeout.count());
  for (const PgSetting& pinned : kPinnedSettings) append_setting(pinned, session);
  if (options.replication) {
    for (const PgSetting& pinned : kPinnedForReplication) append_setting(pinned, session);
  }
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

asio::awaitable<ResolvedHosts> resolve_hosts(asio::any_io_executor executor,
                                             std::vector<PgHost> hosts,
                                             SteadyTime deadline) {
  std::vector<std::string> names;
  for (const PgHost& host : hosts) {
    if (needs_resolving(host)) names.push_back(host.host);
  }
  ResolvedHosts resolved;
  if (names.empty()) {
    resolved.hosts = std::move(hosts);
    co_return resolved;
  }
  const std::vector<Addresses> all = co_await look_up(executor, std::move(names), deadline);
  auto next = all.begin();
  for (const PgHost& host : hosts) {
    if (!needs_resolving(host)) {
      resolved.hosts.push_back(host);
      continue;
    }
    const Addresses& addresses = *next++;
    if (!addresses) {
      resolved.failures.push_back(addresses.error());
      continue;
    }
    for (const std::string& address : *addresses) {
      resolved.hosts.push_back({host.host, address, host.port});
    }
  }
  co_return resolved;
}

std::vector<PgAttempt> plan_attempts(const PgSettings& settings, const std::vector<PgHost>& hosts) {
  if (hosts.size() == 1 && hosts[0].host == value_or_environment(settings, "host", "PGHOST") &&
      hosts[0].address == value_or_environment(settings, "hostaddr", "PGHOSTADDR")) {
    return {{0, settings}};
  }
  constexpr const char* kWanted = "target_session_attrs";
  const std::string wanted = value_or_environment(settings, kWanted, "PGTARGETSESSIONATTRS");
  std::vector<std::string> rounds{wanted};
  if (wanted == "prefer-standby" && hosts.size() > 1) rounds = {"standby", "any"};
  std::vector<PgAttempt> attempts;
  for (const std::string& round : rounds) {
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      PgAttempt& attempt = attempts.emplace_back(PgAttempt{i, settings});
      attempt.settings["host"] = hosts[i].host;
      attempt.settings["hostaddr"] = hosts[i].address;
      attempt.settings["port"] = hosts[i].port;
      attempt.settings[kWanted] = round;
    }
  }
  return attempts;
}

std::chrono::milliseconds time_for_each(std::chrono::milliseconds connect_timeout,
                                        std::size_t attempts) {
  constexpr std::size_t kFullShares = 4;
  if (attempts <= kFullShares) return connect_timeout;
  return connect_timeout * kFullShares / attempts;
}

}  // namespace edged::db
