// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/options.h"

#include <algorithm>
#include <utility>

#include "kvstore/access/token_file.h"
#include "tools/edged/config_addresses.h"
#include "tools/edged/http_hosts.h"
#include "tools/edged/version.h"

namespace edged {

namespace {

// Enough for RocksDB to flush what is in memory and to compact a few files of 16 MiB.
constexpr std::uint64_t kBallastBytes = 32ULL << 20;

// What the storage engine is left with at least.
constexpr std::uint64_t kEngineBytesMin = 8ULL << 20;
constexpr std::uint64_t kHotCacheShare = 2;

// Of the binary face, and as many of the Redis face if it is on: together not more descriptors.
std::size_t reactor_connections_max(const config::Config& config, const DescriptorPlan& plan) {
  return config.node.redis.empty() ? plan.binary_connections_max : plan.binary_connections_max / 2;
}

std::uint64_t hot_cache_bytes(const config::Node& node) {
  if (node.hot_cache_bytes) return *node.hot_cache_bytes;
  const std::uint64_t spare = node.memory_budget_bytes - kEngineBytesMin;
  return std::min(node.memory_budget_bytes / kHotCacheShare, spare);
}

}  // namespace

storage::RocksStoreOptions store_options(const config::Config& config, const DescriptorPlan& plan) {
  storage::RocksStoreOptions options;
  options.data_dir = config.node.data_dir;
  options.hot_cache_bytes = hot_cache_bytes(config.node);
  options.memory_budget_bytes = config.node.memory_budget_bytes - options.hot_cache_bytes;
  options.expiry_grace = config.node.expiry_grace;
  if (config.node.recovery == "cache") options.recovery = storage::Recovery::kCache;
  options.disk_quota_bytes = config.node.disk_quota_bytes;
  options.disk_reserve_bytes = config.node.disk_reserve_bytes;
  options.ballast_bytes = kBallastBytes;
  options.open_files_max = plan.engine_files_max;
  return options;
}

access::AccessTable::Options access_options(const config::Config& config) {
  access::AccessTable::Options options;
  options.path = access::token_file_in(config.node.data_dir);
  options.always_required = !config.insecure && is_reachable_from_outside(config);
  return options;
}

bool is_reachable_from_outside(const config::Config& config) {
  const auto is_outside = [](const std::string& address) {
    return !config::is_loopback(net::split_transport(address).host_port);
  };
  const std::string& binding = config.node.binding;
  const bool has_no_port =
      binding.empty() || binding == config::kBindingOff || binding.starts_with("unix:");
  const std::string& redis = config.node.redis;
  const bool has_redis_port = !redis.empty() && !redis.starts_with("unix:");
  return is_outside(config.node.http) || (!has_no_port && is_outside(binding)) ||
         (has_redis_port && is_outside(redis)) ||
         std::any_of(config.node.listen.begin(), config.node.listen.end(), is_outside);
}

Result<std::shared_ptr<net::ServerTls>> load_tls(const config::Config& config) {
  if (config.node.tls_certificate.empty()) return std::shared_ptr<net::ServerTls>();
  return net::ServerTls::load({config.node.tls_certificate, config.node.tls_key});
}

server::ServerOptions server_options(const config::Config& config,
                                     access::AccessTable& access,
                                     std::shared_ptr<net::ServerTls> tls,
                                     const DescriptorPlan& plan) {
  server::ServerOptions options;
  options.tls = std::move(tls);
  options.listen = config.node.listen;
  options.unix_path = config.unix_path();
  options.access = &access;
  options.limits.connections_max = reactor_connections_max(config, plan);
  options.io_threads = static_cast<std::size_t>(config.node.io_threads);
  options.durability = node_durability(config);
  return options;
}

storage::Durability node_durability(const config::Config& config) {
  return config.node.durability == "sync" ? storage::Durability::kSync : storage::Durability::kWal;
}

http::ServerOptions node_http_options(const config::Config& config,
                                      std::shared_ptr<net::ServerTls> tls,
                                      MetricsRegistry& metrics,
                                      const DescriptorPlan& plan) {
  http::ServerOptions options;
  options.tls = std::move(tls);
  options.failed_handshakes = &metrics.counter(
      "edged_tls_handshake_failures_total", "TLS handshakes that failed.", {{"face", "http"}});
  options.address = config.node.http;
  options.connections_max = plan.http_connections_max;
  options.hosts = config::node_http_hosts(config);
  return options;
}

http::ServerOptions node_binding_options(const config::Config& config,
                                         std::shared_ptr<net::ServerTls> tls,
                                         MetricsRegistry& metrics,
                                         const DescriptorPlan& plan) {
  http::ServerOptions options;
  options.tls = std::move(tls);
  options.failed_handshakes = &metrics.counter(
      "edged_tls_handshake_failures_total", "TLS handshakes that failed.", {{"face", "binding"}});
  options.address =
      config.node.binding.empty() ? std::string(config::kBindingDefault) : config.node.binding;
  options.connections_max = plan.http_connections_max;
  options.hosts = config::node_binding_hosts(config);
  return options;
}

redis::RedisOptions node_redis_options(const config::Config& config,
                                       std::shared_ptr<net::ServerTls> tls,
                                       const DescriptorPlan& plan) {
  redis::RedisOptions options;
  options.address = config.node.redis;
  options.tls = std::move(tls);
  options.databases = config.node.redis_databases;
  for (std::string& database : options.databases) {
    for (const config::KvNamespace& kv : config.kv_namespaces) {
      if (kv.binding == database) database = config.id_of(kv);
    }
  }
  // "default" is not made if the configuration has namespaces: then the first one is database 0.
  if (!config.kv_namespaces.empty()) {
    if (options.databases.empty()) options.databases.emplace_back();
    if (options.databases.front().empty()) {
      options.databases.front() = config.id_of(config.kv_namespaces.front());
    }
  }
  options.io_threads = static_cast<std::size_t>(config.node.io_threads);
  options.durability = node_durability(config);
  options.version = version();
  options.limits.connections_max = reactor_connections_max(config, plan);
  return options;
}

}  // namespace edged
