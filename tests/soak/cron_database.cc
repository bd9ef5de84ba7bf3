// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/cron_database.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "proto/base/check.h"
#include "proto/net/spawn.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/db/migrate.h"

namespace edged::soak {

using boost::asio::awaitable;

namespace {

constexpr std::size_t kConnections = 4;

}  // namespace

std::string create_cron_database() {
  test::PostgresCluster& cluster = test::PostgresCluster::shared();
  std::string database = cluster.create_database();
  boost::asio::io_context io;
  db::MigrateOptions options;
  options.url = cluster.url(database);
  options.app_schema = true;
  const auto migrated = test::run_awaitable(io, db::migrate(io.get_executor(), options));
  KV_CHECK(migrated.has_value());
  return database;
}

CronDatabase::CronDatabase(std::string database, std::string jobs_of)
    : jobs_of_(std::move(jobs_of)) {
  db::PgPoolOptions pool;
  pool.url = test::PostgresCluster::shared().url(database);
  pool.size = kConnections;
  pool.statement_timeout = std::chrono::seconds(60);  // machines are busy
  pool_ = std::make_unique<db::PgPool>(io_.get_executor(), pool, metrics_);
}

std::unique_ptr<class_monitor::RunStore> CronDatabase::make_store(const std::string& job,
                                                                  const std::string& worker,
                                                                  const std::string& process) {
  class_monitor::RunStoreOptions options;
  options.job = job_name(job);
  options.worker = worker;
  options.process = process;
  return std::make_unique<class_monitor::RunStore>(*pool_, options);
}

awaitable<void> CronDatabase::begin_one(Beginning* beginning, std::size_t* left) {
  auto begun =
      co_await beginning->store->begin(std::move(beginning->request), beginning->now, nullptr);
  if (begun) {
    beginning->run = std::move(*begun);
  } else {
    beginning->status = begun.error();
  }
  --*left;
}

void CronDatabase::begin(std::vector<Beginning>& beginnings) {
  std::size_t left = beginnings.size();
  statements_ += left;
  for (Beginning& one : beginnings) net::spawn(io_, begin_one(&one, &left));
  io_.restart();
  while (left > 0 && io_.run_one() > 0) {
  }
}

Result<bool> CronDatabase::renew(class_monitor::RunStore& store,
                                 class_monitor::RunHold run,
                                 WallTime now) {
  ++statements_;
  return test::run_awaitable(io_, store.renew_lease(run, now));
}

Result<bool> CronDatabase::finish(class_monitor::RunStore& store,
                                  class_monitor::RunHold run,
                                  WallTime now) {
  ++statements_;
  class_monitor::RunEnd end;
  end.summary = R"({"sections":0})";
  const auto closed = test::run_awaitable(io_, store.finish(end, run, now, nullptr));
  if (!closed) return closed.error();
  return closed->summary.has_value();
}

Result<std::optional<WallTime>> CronDatabase::last_tick(class_monitor::RunStore& store,
                                                        WallTime now) {
  ++statements_;
  return test::run_awaitable(io_, store.last_tick(now));
}

}  // namespace edged::soak
