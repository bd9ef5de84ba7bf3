// SPDX-License-Identifier: Apache-2.0
// From the configuration to the options of connections to PostgreSQL. Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "tools/edged/config.h"
#include "worker/db/pg_pool.h"
#include "worker/db/pg_target.h"

namespace edged {

// `name` is what pg_stat_activity shows.
db::PgPoolOptions pool_options(const config::Config& config, std::string name);

// Of the connection that replication speaks over: mirror.url, else postgres.url.
db::PgConnectOptions replication_options(const config::Config& config);

// Of the connection that waits for notifications: postgres.listen_url, else postgres.url; behind a
// pooler (postgres.session_state false) mirror.url, which goes past it. Nothing: there is no way.
std::optional<db::PgConnectOptions> listen_options(const config::Config& config);

}  // namespace edged
