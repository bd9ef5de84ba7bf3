// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/postgres_options.h"

#include <utility>

namespace edged {

db::PgPoolOptions pool_options(const config::Config& config, std::string name) {
  db::PgPoolOptions options;
  options.url = config.postgres.url;
  options.size = static_cast<std::size_t>(config.postgres.pool_size);
  options.connect_timeout = config.postgres.connect_timeout;
  options.statement_timeout = config.postgres.statement_timeout;
  options.session_state = config.postgres.session_state;
  options.prepared_statements = config.postgres.prepared_statements;
  options.application_name = std::move(name);
  return options;
}

db::PgConnectOptions replication_options(const config::Config& config) {
  db::PgConnectOptions options;
  options.url = config.mirror.url.empty() ? config.postgres.url : config.mirror.url;
  options.connect_timeout = config.postgres.connect_timeout;
  options.statement_timeout = config.postgres.statement_timeout;
  return options;
}

std::optional<db::PgConnectOptions> listen_options(const config::Config& config) {
  const config::Postgres& postgres = config.postgres;
  db::PgConnectOptions options;
  options.url = postgres.session_state ? postgres.url : config.mirror.url;
  if (!postgres.listen_url.empty()) options.url = postgres.listen_url;
  if (options.url.empty()) return std::nullopt;
  options.connect_timeout = postgres.connect_timeout;
  options.statement_timeout = postgres.statement_timeout;
  options.session_state = false;  // a pooler in session mode refuses settings at the start, too
  options.application_name = "edged listener";
  options.prepared_statements = false;
  return options;
}

}  // namespace edged
