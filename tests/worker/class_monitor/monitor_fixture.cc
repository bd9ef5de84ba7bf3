// SPDX-License-Identifier: Apache-2.0
#include "tests/worker/class_monitor/monitor_fixture.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "proto/base/check.h"

namespace edged::class_monitor {

using boost::asio::awaitable;

awaitable<Result<upstream::SectionObservation>> ScriptedSource::fetch(upstream::SectionKey section,
                                                                      std::string) {
  asked.push_back(section.class_nbr);
  if (before_answer) before_answer(section.class_nbr);
  while (held && held()) {
    boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor,
                                    std::chrono::milliseconds(5));
    co_await pause.async_wait(boost::asio::use_awaitable);
  }
  if (delay.count() > 0) {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, delay);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
  const auto answer = answers_.find(section.class_nbr);
  if (answer == answers_.end()) co_return Status(Code::kNotFound, "section not found");
  co_return answer->second;
}

MonitorTest::MonitorTest(bool with_kv) : clock_(from_unix_ms(1'767'225'600'000)) {
  database_ = test::PostgresCluster::shared().create_database();
  url_ = test::PostgresCluster::shared().url(database_);
  db::PgPoolOptions pool_options;
  pool_options.url = url_;
  pool_ = std::make_unique<db::PgPool>(io_.get_executor(), pool_options, metrics_);
  const auto migrated =
      wait_for(db::migrate(io_.get_executor(), {.url = url_, .app_schema = true}));
  KV_CHECK(migrated.has_value());
  KvStatesOptions kv_options;
  if (with_kv) {
    node_ = std::make_unique<test::TestNode>();
    client_ = std::make_unique<net::Client>(io_.get_executor(),
                                            net::ClientOptions{.address = node_->address()});
    kv_options.ns = node_->namespace_id();
  }
  kv_ = std::make_unique<KvStates>(client_.get(), kv_options, metrics_);
  store_options_.placeholders = {"staff", "tba", "instructor unassigned", ""};
  monitor_ = make_monitor();
}

MonitorTest::~MonitorTest() = default;

std::unique_ptr<ClassMonitor> MonitorTest::make_monitor(const std::string& worker) {
  RunStoreOptions options = store_options_;
  options.worker = worker;
  options.process = worker + "-" + std::to_string(stores_.size());
  stores_.push_back(std::make_unique<RunStore>(*pool_, options));
  return std::make_unique<ClassMonitor>(io_.get_executor(),
                                        RunTools{*stores_.back(), *kv_, source_, clock_, nullptr},
                                        ClassMonitorOptions{run_options_, std::chrono::seconds(10)},
                                        metrics_);
}

std::string MonitorTest::add_watch(const std::string& address,
                                   const std::string& class_nbr,
                                   const std::string& term) {
  return query(
      "with u as (insert into auth.users (email) values ($1) returning id) "
      "insert into class_watches (user_id, term, subject, catalog_nbr, class_nbr) "
      "select id, $2, 'CSE', '310', $3 from u returning id",
      {address, term, class_nbr})[0];
}

std::vector<std::string> MonitorTest::query(const std::string& sql, db::PgParameters parameters) {
  const auto result = wait_for(pool_->execute(sql, std::move(parameters)));
  EXPECT_TRUE(result) << (result ? "" : result.error().to_string()) << "\nin: " << sql;
  std::vector<std::string> rows;
  for (int i = 0; result && i < result->rows(); ++i) {
    std::string row;
    for (int column = 0; column < result->columns(); ++column) {
      if (column > 0) row += '|';
      row += result->text(i, column);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::string> MonitorTest::try_tick(ClassMonitor& monitor) {
  clock_.advance(std::chrono::hours(1));
  const auto id = wait_for(monitor.start({clock_.wall_now(), worker::Cause::kSchedule, ""}));
  if (!id) return id.error();
  return wait_for(monitor.wait(*id));
}

boost::json::object MonitorTest::tick() {
  const auto summary = try_tick(*monitor_);
  EXPECT_TRUE(summary) << (summary ? "" : summary.error().to_string());
  if (!summary) return {};
  return boost::json::parse(*summary).as_object();
}

boost::json::object MonitorTest::see(std::optional<std::int64_t> seats,
                                     std::optional<std::string> instructor,
                                     std::optional<std::int64_t> non_reserved) {
  upstream::SectionObservation seen;
  seen.seats_available = seats;
  seen.seats_capacity = 150;
  seen.non_reserved_seats = non_reserved;
  seen.instructor = std::move(instructor);
  source_.say(kSection, std::move(seen));
  return tick();
}

void MonitorTest::see_failure(Status status) {
  const bool absent = status.code() == Code::kNotFound;
  source_.say(kSection, std::move(status));
  const auto outcome = try_tick(*monitor_);
  EXPECT_EQ(outcome.has_value(), absent) << "a run that learnt nothing is no success";
}

std::vector<std::string> MonitorTest::mails() {
  return query(
      "select notification_type || ' ' || recipient || coalesce(' (' || reason || ')', '') "
      "from edged.mails order by run_id, recipient, notification_type");
}

}  // namespace edged::class_monitor
