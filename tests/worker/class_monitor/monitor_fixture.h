// SPDX-License-Identifier: Apache-2.0
// A class-monitor with a database of its own, a clock that the test moves, and an upstream that
// says what the test tells it. With a KV node or without.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/metrics.h"
#include "tests/support/manual_clock.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "tests/support/test_node.h"
#include "worker/class_monitor/class_monitor.h"
#include "worker/db/migrate.h"
#include "worker/db/pg_pool.h"

namespace edged::class_monitor {

// Answers from a table; a section that is not in it is not found.
class ScriptedSource final : public upstream::SectionSource {
 public:
  boost::asio::awaitable<Result<upstream::SectionObservation>> fetch(upstream::SectionKey section,
                                                                     std::string run_id) override;

  void say(const std::string& class_nbr, Result<upstream::SectionObservation> answer) {
    answers_.insert_or_assign(class_nbr, std::move(answer));
  }
  void forget(const std::string& class_nbr) { answers_.erase(class_nbr); }

  std::vector<std::string> asked;
  std::chrono::milliseconds delay{0};  // of each answer
  std::function<bool()> held;          // no answer as long as it says so
  // Called before each answer, for tests that interfere in the middle of a run.
  std::function<void(const std::string& class_nbr)> before_answer;

 private:
  std::map<std::string, Result<upstream::SectionObservation>> answers_;
};

class MonitorTest : public ::testing::Test {
 protected:
  static constexpr const char* kSection = "12431";
  static constexpr const char* kTerm = "2261";

  explicit MonitorTest(bool with_kv = false);
  ~MonitorTest() override;

  // A user with a watch on the section. Returns the watch's id.
  std::string add_watch(const std::string& address,
                        const std::string& class_nbr = kSection,
                        const std::string& term = kTerm);

  // Rows of `sql`, fields joined by '|'.
  std::vector<std::string> query(const std::string& sql, db::PgParameters parameters = {});
  void execute(const std::string& sql, db::PgParameters parameters = {}) {
    (void)query(sql, parameters);
  }

  // Runs one tick, an hour after the last, and expects it to succeed. Returns the summary.
  boost::json::object tick();
  Result<std::string> try_tick(ClassMonitor& monitor);
  // Another worker of the fleet on the same database.
  std::unique_ptr<ClassMonitor> make_monitor(const std::string& worker = "worker-a");

  // Tells the upstream's answer for the section and runs a tick.
  boost::json::object see(std::optional<std::int64_t> seats,
                          std::optional<std::string> instructor = std::nullopt,
                          std::optional<std::int64_t> non_reserved = std::nullopt);
  // The same for a failure, which is the run's if this is the only section.
  void see_failure(Status status);

  // Mails that were written, as "type recipient", those recorded but not sent with the reason.
  std::vector<std::string> mails();

  // Runs the event loop until `task` is done.
  template <typename T>
  T wait_for(boost::asio::awaitable<T> task) {
    return test::run_awaitable(io_, std::move(task));
  }

  boost::asio::io_context io_;
  edged::test::ManualClock clock_;
  MetricsRegistry metrics_;
  ScriptedSource source_;
  std::string database_;
  std::string url_;
  std::unique_ptr<test::TestNode> node_;
  std::unique_ptr<db::PgPool> pool_;
  std::unique_ptr<net::Client> client_;
  std::unique_ptr<KvStates> kv_;
  std::vector<std::unique_ptr<RunStore>> stores_;
  std::unique_ptr<ClassMonitor> monitor_;
  RunOptions run_options_;
  RunStoreOptions store_options_;
};

}  // namespace edged::class_monitor
