// SPDX-License-Identifier: Apache-2.0
// Notifications, also after the connection was lost, and the end of waiting.
#include "worker/db/pg_listener.h"

#include <chrono>

#include "proto/net/spawn.h"
#include "tests/support/pg_pool_fixture.h"

namespace edged::db {
namespace {

using namespace std::chrono_literals;

class PgListenerTest : public test::PgPoolFixture {
 protected:
  PgListenerTest() {
    PgConnectOptions options;
    options.url = cluster_.url(database_);
    options.application_name = "listener";
    listener_.emplace(
        io_.get_executor(), options, "edged_queue", nullptr, [this] { ++notified_; }, metrics_);
  }
  ~PgListenerTest() override {
    listener_->stop();
    run_until([this] { return ended_; });
  }
  void start() { net::spawn(io_, run_listener()); }
  boost::asio::awaitable<void> run_listener() {
    ended_ = false;
    co_await listener_->run();
    ended_ = true;
  }
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(20ms);
    }
    EXPECT_TRUE(done());
  }

  // A listener that sends `notification` after it has connected.
  void listen_with(std::string notification) {
    PgConnectOptions options;
    options.url = cluster_.url(database_);
    auto probe = [this, notification] { return send(notification); };
    listener_.emplace(
        io_.get_executor(), options, "edged_queue", probe, [this] { ++notified_; }, metrics_);
    start();
  }
  boost::asio::awaitable<Status> send(std::string notification) {
    PgParameters none;
    const auto done = co_await pool_.execute(std::move(notification), std::move(none));
    co_return done ? Status() : done.error();
  }
  bool is_listening() {
    return metrics_.render().find("\nedged_pg_listening 1\n") != std::string::npos;
  }

  PgPool pool_{io_.get_executor(), options(), metrics_};
  std::optional<PgListener> listener_;
  int notified_ = 0;
  bool ended_ = true;
};

TEST_F(PgListenerTest, HearsNotificationsOfItsChannel) {
  start();
  run_until([this] { return notified_ == 1; });  // it has connected
  (void)value(pool_, "select pg_notify('other', '')::text");
  (void)value(pool_, "select pg_notify('edged_queue', 'a')::text");
  run_until([this] { return notified_ == 2; });
  (void)value(pool_, "select pg_notify('edged_queue', 'b')::text");
  run_until([this] { return notified_ == 3; });
}

TEST_F(PgListenerTest, ConnectsAgain) {
  start();
  for (int connection = 1; connection <= 3; ++connection) {
    run_until([&] { return notified_ == connection; });
    EXPECT_EQ(value(pool_,
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                    "where application_name = 'listener' and datname = current_database()"),
              "1");
  }
}

TEST_F(PgListenerTest, ChecksThatNotificationsArrive) {
  listen_with("select pg_notify('edged_queue', '')");
  run_until([this] { return is_listening(); });
  EXPECT_EQ(notified_, 2);  // it has connected, and its own notification
}

TEST_F(PgListenerTest, WithoutNotificationsItIsNotListeningUntilOneComes) {
  listen_with("select pg_notify('of_another', '')");
  run_until([this] { return notified_ == 1; });
  io_.restart();
  io_.run_for(5'500ms);
  EXPECT_FALSE(is_listening());
  (void)value(pool_, "select pg_notify('edged_queue', '')::text");
  run_until([this] { return is_listening(); });
  EXPECT_EQ(notified_, 2);
}

TEST_F(PgListenerTest, AProbeThatCannotBeSentSaysNothing) {
  listen_with("select 1/0");
  run_until([this] { return is_listening(); });
}

TEST_F(PgListenerTest, StopsWhileItWaitsAndWhileItIsNotConnected) {
  start();
  run_until([this] { return notified_ == 1; });
  listener_->stop();
  run_until([this] { return ended_; });
  PgConnectOptions nowhere;
  nowhere.url = "postgresql://127.0.0.1:1/none";
  listener_.emplace(
      io_.get_executor(), nowhere, "edged_queue", nullptr, [this] { ++notified_; }, metrics_);
  start();
  run_until([this] { return !ended_; });
  io_.restart();
  io_.run_for(50ms);
  listener_->stop();
  run_until([this] { return ended_; });
  EXPECT_EQ(notified_, 1);
}

}  // namespace
}  // namespace edged::db
