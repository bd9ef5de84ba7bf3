// SPDX-License-Identifier: Apache-2.0
// From the configuration to the node's modules' own options. Pure; any thread.
#pragma once

#include "kvstore/access/access_table.h"
#include "kvstore/server/options.h"
#include "kvstore/storage/rocks_store.h"
#include "proto/http/server.h"
#include "tools/edged/config.h"

namespace edged {

storage::RocksStoreOptions store_options(const config::Config& config);
access::AccessTable::Options access_options(const config::Config& config);
server::ServerOptions server_options(const config::Config& config, access::AccessTable& access);
http::ServerOptions node_http_options(const config::Config& config);

}  // namespace edged
