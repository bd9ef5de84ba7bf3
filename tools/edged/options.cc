// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/options.h"

namespace edged {

storage::RocksStoreOptions store_options(const config::Config& config) {
  storage::RocksStoreOptions options;
  options.data_dir = config.node.data_dir;
  options.memory_budget_bytes = config.node.memory_budget_bytes;
  options.expiry_grace = config.node.expiry_grace;
  if (config.node.recovery == "cache") options.recovery = storage::Recovery::kCache;
  return options;
}

server::ServerOptions server_options(const config::Config& config) {
  server::ServerOptions options;
  options.listen = config.node.listen;
  options.unix_path = config.unix_path();
  options.io_threads = static_cast<std::size_t>(config.node.io_threads);
  if (config.node.durability == "sync") options.durability = storage::Durability::kSync;
  return options;
}

http::ServerOptions node_http_options(const config::Config& config) {
  http::ServerOptions options;
  options.address = config.node.http;
  return options;
}

}  // namespace edged
