// SPDX-License-Identifier: Apache-2.0
// The cron soak's PostgreSQL: a throwaway one with the schema, and the product's RunStore for each
// worker and job. Calls return when they are done; beginnings can be made at once.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/metrics.h"
#include "worker/class_monitor/run_store.h"
#include "worker/db/pg_pool.h"

namespace edged::soak {

struct Beginning {
  class_monitor::RunStore* store = nullptr;
  class_monitor::BeginRequest request;
  WallTime now{};
  // The answer.
  Status status;
  std::optional<class_monitor::BegunRun> run;
};

// A fresh database with the schema, in the program's cluster. Its name.
std::string create_cron_database();

// The connections of one fleet. One thread.
class CronDatabase {
 public:
  // `jobs_of` is added to the names of jobs: fleets on one database have jobs of their own.
  CronDatabase(std::string database, std::string jobs_of);

  std::unique_ptr<class_monitor::RunStore> make_store(const std::string& job,
                                                      const std::string& worker,
                                                      const std::string& process);

  // All at once, over several connections.
  void begin(std::vector<Beginning>& beginnings);
  Result<bool> renew(class_monitor::RunStore& store, class_monitor::RunHold run, WallTime now);
  // True if the run was ended by this call.
  Result<bool> finish(class_monitor::RunStore& store, class_monitor::RunHold run, WallTime now);
  Result<std::optional<WallTime>> last_tick(class_monitor::RunStore& store, WallTime now);

  std::string job_name(const std::string& job) const { return job + jobs_of_; }
  std::uint64_t statements() const { return statements_; }

 private:
  static boost::asio::awaitable<void> begin_one(Beginning* beginning, std::size_t* left);

  std::string jobs_of_;
  boost::asio::io_context io_;
  MetricsRegistry metrics_;
  std::unique_ptr<db::PgPool> pool_;
  std::uint64_t statements_ = 0;
};

}  // namespace edged::soak
