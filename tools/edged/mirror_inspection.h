// SPDX-License-Identifier: Apache-2.0
// Whether the tables of mirror.rules are there, and whether PostgreSQL and the role allow logical
// replication of them: `edged mirror check` and `edged doctor`. The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "tools/edged/config.h"
#include "worker/db/pg_pool.h"
#include "worker/mirror/catalogue.h"
#include "worker/mirror/rule.h"

namespace edged {

struct MirrorReport {
  mirror::Catalogue catalogue;
  mirror::ServerFacts facts;
  std::vector<std::string> obstacles;
};

// Changes nothing. Errors: those of PgPool::execute, and of the connection that mirror.url names.
boost::asio::awaitable<Result<MirrorReport>> inspect_mirror(db::PgPool& pool,
                                                            const config::Config& config,
                                                            const std::vector<mirror::Rule>& rules);

}  // namespace edged
