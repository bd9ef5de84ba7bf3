// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_addresses.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <utility>

#include "proto/base/numbers.h"
#include "proto/http/own_host.h"
#include "proto/net/tls.h"

namespace edged::config {
namespace {

constexpr std::string_view kHttps = "https://";
constexpr std::size_t kRedisDatabases = 16;
constexpr std::size_t kUnixPathBytesMax = 107;  // sockaddr_un's sun_path less its end

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string host_of(std::string_view address) {
  std::string_view host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return std::string(host);
}

bool is_https_origin(const std::string& address) {
  const auto url = boost::urls::parse_uri(address);
  return url && !url->host().empty() && !url->has_userinfo() && !url->has_query() &&
         !url->has_fragment() && (url->path().empty() || url->path() == "/");
}

bool has_no_port(std::string_view host_port) {
  return host_port.ends_with(":0");
}

// HOST:PORT, tls:HOST:PORT or unix:PATH.
void check_any_address(const std::string& path,
                       const std::string& address,
                       const Config& config,
                       ReadContext& context) {
  constexpr std::string_view kUnix = "unix:";
  if (!address.starts_with(kUnix)) {
    check_address(path, address, config, &config.node, context);
  } else if (address.size() == kUnix.size()) {
    context.complain(path, quoted(address) + " has no path behind \"unix:\"");
  } else {
    check_unix_path(path, address.substr(kUnix.size()), context);
  }
}

}  // namespace

bool is_host_port(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view digits = address.substr(colon + 1);
  if (!parse_uint64(digits, 0, 65535)) return false;
  const std::string host = host_of(address);
  const bool bracketed = address.front() == '[';
  return !host.empty() && (bracketed || host.find(':') == std::string::npos);
}

bool is_loopback(std::string_view host_port) {
  const std::string host = host_of(host_port);
  if (host == "localhost" || host == "::1") return true;
  // "127.evil.example" is a name: all of it must be an address.
  return host.rfind("127.", 0) == 0 && host.find_first_not_of("0123456789.") == std::string::npos;
}

void check_address(const std::string& path,
                   const std::string& address,
                   const Config& config,
                   const Node* tls,
                   ReadContext& context) {
  const net::Address wanted = net::split_transport(address);
  if (!is_host_port(wanted.host_port)) {
    context.complain(path, quoted(address) + " is not HOST:PORT, for example 127.0.0.1:4780");
  } else if (wanted.tls && tls == nullptr) {
    context.complain(
        path,
        quoted(address) +
            ": this address speaks no TLS. Leave out \"tls:\" and put a TLS proxy in front of it");
  } else if (wanted.tls && (tls->tls_certificate.empty() || tls->tls_key.empty())) {
    context.complain(path,
                     quoted(address) +
                         " needs a certificate: set node.tls.certificate and "
                         "node.tls.key");
  } else if (!wanted.tls && !config.insecure && !is_loopback(wanted.host_port)) {
    context.complain(
        path,
        quoted(address) + " is not a loopback address, so other machines can reach it. " +
            (tls != nullptr ? "Write \"tls:" + address + "\" and set node.tls"
                            : "Use a loopback address with a TLS proxy in front of it") +
            ", or pass --insecure to serve it without encryption");
  }
}

void check_http_hosts(const std::string& path,
                      const std::vector<std::string>& hosts,
                      ReadContext& context) {
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (http::is_host_name(hosts[i])) continue;
    context.complain(path + "[" + std::to_string(i) + "]",
                     quoted(hosts[i]) + " is not a host name; write it without scheme and port");
  }
}

void check_unix_path(const std::string& path, const std::string& value, ReadContext& context) {
  if (value.size() <= kUnixPathBytesMax) return;
  context.complain(path,
                   quoted(value) + " is longer than a unix socket's path may be (" +
                       std::to_string(kUnixPathBytesMax) + " bytes)");
}

void check_binding(const Config& config, ReadContext& context) {
  const std::string& binding = config.node.binding;
  if (binding.empty() || binding == kBindingOff) return;
  check_any_address("node.binding", binding, config, context);
}

void check_redis(const Config& config, ReadContext& context) {
  const Node& node = config.node;
  if (!node.redis.empty()) check_any_address("node.redis", node.redis, config, context);
  if (node.redis_databases.size() > kRedisDatabases) {
    context.complain("node.redis_databases", "names more than 16 databases");
  }
}

void check_worker_http(const Config& config, ReadContext& context) {
  const std::string& address = config.node.worker_http;
  if (address.empty()) return;
  const bool encrypted = address.starts_with(kHttps);
  if (encrypted ? !is_https_origin(address) : !is_host_port(address) || has_no_port(address)) {
    context.complain(
        "node.worker_http",
        quoted(address) + " is neither HOST:PORT nor https://HOST, for example 127.0.0.1:4783");
  } else if (!encrypted && !config.insecure && !is_loopback(address)) {
    context.complain("node.worker_http",
                     quoted(address) +
                         " is not a loopback address, and the secret would cross the network "
                         "without encryption. Write https://HOST and put a TLS proxy in front of "
                         "the worker, or pass --insecure");
  } else if (!worker_of_node(config)) {
    context.complain("node.worker_http",
                     "needs node.worker_secret or node.worker_secret_file: worker.queue_secret of "
                     "that worker");
  }
}

std::optional<WorkerOfNode> worker_of_node(const Config& config) {
  WorkerOfNode found{{}, config.node.worker_secret, config.node.worker_secret_file, {}};
  found.file_key = "node.worker_secret_file";
  if (found.secret.empty() && found.secret_file.empty() && config.worker.has_role(kRoleQueue)) {
    found.secret = config.worker.queue_secret;
    found.secret_file = config.worker.queue_secret_file;
    found.file_key = "worker.queue_secret_file";
  }
  if (found.secret.empty() && found.secret_file.empty()) return std::nullopt;
  std::string address = config.node.worker_http;
  if (address.empty()) address = config.worker.http;
  if (address.starts_with(kHttps)) {
    if (address.back() == '/') address.pop_back();
    found.url = std::move(address);
    return found;
  }
  // A free port is known to the worker alone.
  if (!is_host_port(address) || has_no_port(address)) return std::nullopt;
  found.url = "http://";
  found.url += address;
  return found;
}

}  // namespace edged::config
