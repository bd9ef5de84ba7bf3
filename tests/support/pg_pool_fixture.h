// SPDX-License-Identifier: Apache-2.0
// What tests of pools share: a database of their own, and one-line statements.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <string>
#include <utility>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/db/pg_pool.h"

namespace edged::test {

class PgPoolFixture : public testing::Test {
 protected:
  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  boost::asio::io_context io_;
  MetricsRegistry metrics_;
  db::StatementCounter counter_;

  db::PgPoolOptions options(std::size_t size = 1) const {
    db::PgPoolOptions options;
    options.url = cluster_.url(database_);
    options.size = size;
    return options;
  }

  Result<db::PgResult> run(db::PgPool& pool, std::string sql, db::PgParameters parameters = {}) {
    return run_awaitable(io_, pool.execute(std::move(sql), std::move(parameters), &counter_));
  }

  // The one value of a one-row answer, or the error.
  std::string value(db::PgPool& pool, std::string sql, db::PgParameters parameters = {}) {
    Result<db::PgResult> result = run(pool, std::move(sql), std::move(parameters));
    return result ? std::string(result->text(0, 0)) : result.error().to_string();
  }
};

}  // namespace edged::test
