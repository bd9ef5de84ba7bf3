// SPDX-License-Identifier: Apache-2.0
// From the configuration to the node's modules' own options. Pure but for load_tls(); any thread.
#pragma once

#include <memory>

#include "kvstore/access/access_table.h"
#include "kvstore/redis/options.h"
#include "kvstore/server/options.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/http/server.h"
#include "proto/net/tls.h"
#include "tools/edged/config.h"
#include "tools/edged/descriptors.h"

namespace edged {

storage::RocksStoreOptions store_options(const config::Config& config, const DescriptorPlan& plan);
access::AccessTable::Options access_options(const config::Config& config);
// True if the node binds an address that is not a loopback one.
bool is_reachable_from_outside(const config::Config& config);
// Null if none is configured. Blocks on disk. Errors: those of ServerTls::load().
Result<std::shared_ptr<net::ServerTls>> load_tls(const config::Config& config);
server::ServerOptions server_options(const config::Config& config,
                                     access::AccessTable& access,
                                     std::shared_ptr<net::ServerTls> tls,
                                     const DescriptorPlan& plan);
http::ServerOptions node_http_options(const config::Config& config,
                                      std::shared_ptr<net::ServerTls> tls,
                                      MetricsRegistry& metrics,
                                      const DescriptorPlan& plan);

// Of writes that do not ask for another.
storage::Durability node_durability(const config::Config& config);
// Of the Workers binding. Not if it is off.
http::ServerOptions node_binding_options(const config::Config& config,
                                         std::shared_ptr<net::ServerTls> tls,
                                         MetricsRegistry& metrics,
                                         const DescriptorPlan& plan);
// Of the Redis face. Not if it is off.
redis::RedisOptions node_redis_options(const config::Config& config,
                                       std::shared_ptr<net::ServerTls> tls,
                                       const DescriptorPlan& plan);

}  // namespace edged
