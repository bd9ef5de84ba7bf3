// SPDX-License-Identifier: Apache-2.0
// A database with the schema "edged", and consumers whose handler notes what it gets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/net/spawn.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/db/migrate.h"
#include "worker/queue/consumer.h"

namespace edged::queue {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class QueueTest : public ::testing::Test {
 protected:
  QueueTest() {
    db::MigrateOptions schema;
    schema.url = cluster_.url(database_);
    const auto migrated = run_awaitable(io_, db::migrate(io_.get_executor(), schema));
    if (!migrated) ADD_FAILURE() << migrated.error().to_string();
    pool_.emplace(io_.get_executor(), pool_options(), metrics_);
    options_.queue = "work";
    options_.max_batch_timeout = 0ms;
    options_.poll_interval = 20ms;
    options_.flush_interval = 1ms;
    sql("select edged.queue_create('work')");
  }

  db::PgPoolOptions pool_options() {
    db::PgPoolOptions target;
    target.url = cluster_.url(database_);
    return target;
  }
  // The first column of each row; "null" for NULL.
  std::vector<std::string> sql(std::string statement) {
    const auto found = run_awaitable(io_, pool_->execute(std::move(statement), {}));
    if (!found) {
      ADD_FAILURE() << found.error().to_string();
      return {};
    }
    std::vector<std::string> column;
    for (int row = 0; row < found->rows(); ++row) {
      column.push_back(found->optional_text(row, 0).value_or("null"));
    }
    return column;
  }
  std::string sql_error(std::string statement) {
    const auto found = run_awaitable(io_, pool_->execute(std::move(statement), {}));
    return found ? "" : found.error().to_string();
  }
  // -1: PostgreSQL did not answer.
  int sql_count(std::string statement) {
    const auto found = run_awaitable(io_, pool_->execute(std::move(statement), {}));
    return found && found->rows() == 1 ? std::stoi(std::string(found->text(0, 0))) : -1;
  }
  void send(int count) {
    sql("select edged.queue_send_batch('work', array_agg(to_jsonb(n))) from generate_series(1, " +
        std::to_string(count) + ") n");
  }

  // `decide` decides a batch; the rest of it is as answer_ says. Bodies go to bodies_ before.
  using Decide = std::function<void(Batch&)>;
  std::unique_ptr<Consumer> consumer(Decide decide = {}) {
    Handler handler = [this, decide](std::shared_ptr<Batch> batch) { return note(batch, decide); };
    return consumer_of(std::move(handler));
  }
  std::unique_ptr<Consumer> consumer_of(Handler handler) {
    return std::make_unique<Consumer>(
        io_.get_executor(), *pool_, clock_, metrics_, options_, std::move(handler));
  }
  asio::awaitable<Status> note(std::shared_ptr<Batch> batch, Decide decide) {
    sizes_.push_back(batch->messages().size());
    for (const Message& message : batch->messages()) {
      bodies_.push_back(message.body);
      attempts_.push_back(message.attempts);
    }
    if (decide) decide(*batch);
    co_return answer_;
  }
  void drain(Consumer& consumer) {
    const Status status = run_awaitable(io_, consumer.drain_due());
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  // Runs the event loop until `done`; the limit is the test's patience, not a measure.
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 120s;
    io_.restart();
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(20ms);
    }
    EXPECT_TRUE(done());
  }
  asio::awaitable<bool> end(Consumer* consumer, std::chrono::milliseconds patience) {
    co_await consumer->stop(patience);
    co_return true;
  }
  void stop(Consumer& consumer) { EXPECT_TRUE(run_awaitable(io_, end(&consumer, 60s))); }
  // Nothing of any message is left.
  void expect_empty() {
    EXPECT_THAT(sql("select count(*) from edged.queue_messages"), ElementsAre("0"));
    EXPECT_THAT(sql("select count(*) from edged.queue_ready"), ElementsAre("0"));
    EXPECT_THAT(sql("select count(*) from edged.queue_delayed"), ElementsAre("0"));
    EXPECT_THAT(sql("select count(*) from edged.queue_claims"), ElementsAre("0"));
  }

  PostgresCluster& cluster_ = PostgresCluster::shared();
  const std::string database_ = cluster_.create_database();
  asio::io_context io_;
  SystemClock clock_;
  MetricsRegistry metrics_;
  std::optional<db::PgPool> pool_;
  ConsumerOptions options_;
  Status answer_;
  std::vector<std::string> bodies_;
  std::vector<std::size_t> sizes_;
  std::vector<int> attempts_;
};

}  // namespace edged::queue
