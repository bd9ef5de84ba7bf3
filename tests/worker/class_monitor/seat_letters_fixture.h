// SPDX-License-Identifier: Apache-2.0
// Notifications of class-monitor in a real queue, with a scripted transport, upstream and clock.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/manual_clock.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/class_monitor/seat_letters.h"
#include "worker/db/migrate.h"
#include "worker/mail/sender.h"

namespace edged::class_monitor {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Answers with the scripted deliveries, then accepts. `before` runs before each answer.
class ScriptedTransport final : public mail::Transport {
 public:
  std::string_view name() const override { return "scripted"; }
  Limits limits() const override { return {}; }
  asio::awaitable<mail::Delivery> deliver(mail::Parcel parcel, mail::Attempt attempt) override {
    attempts.push_back(attempt);
    if (before) before();
    messages.push_back(std::move(parcel.messages.at(0)));
    if (script.empty()) co_return mail::delivery_of(Status());
    mail::Delivery answer = script.front();
    script.pop_front();
    co_return answer;
  }

  std::deque<mail::Delivery> script;
  std::vector<mail::Message> messages;
  std::vector<mail::Attempt> attempts;
  std::function<void()> before;
};

struct Delivered {
  std::uint64_t sent = 0, dropped = 0, dead = 0, retried = 0;
};

struct MailRow {
  std::string type = "seat_available";
  std::string recipient = "student@example.edu";
};

class SeatLettersTest : public ::testing::Test {
 protected:
  explicit SeatLettersTest(std::vector<db::Migration> migrations = db::embedded_migrations()) {
    db::MigrateOptions schema;
    schema.migrations = std::move(migrations);
    schema.url = cluster_.url(database_);
    schema.app_schema = true;
    const auto migrated = run_awaitable(io_, db::migrate(io_.get_executor(), schema));
    if (!migrated) ADD_FAILURE() << migrated.error().to_string();
    db::PgPoolOptions target;
    target.url = cluster_.url(database_);
    pool_.emplace(io_.get_executor(), target, metrics_);
    options_.identity = {"PickMyClass <notify@example.org>", "https://pickmyclass.example"};
  }

  std::string value(const std::string& sql) { return cluster_.value(database_, sql); }
  void query(const std::string& sql) { cluster_.query(database_, sql); }
  std::string now() { return "'" + format_rfc3339(clock_.wall_now()) + "'::timestamptz"; }

  // A user who watches section 12431, the claim and the notification with its mail; returns the
  // notification's id.
  std::string add_mail(const MailRow& mail = {}) {
    const std::string watch =
        value("with u as (insert into auth.users (email) values ('" + mail.recipient +
              "') returning id) insert into public.class_watches (user_id, term, subject, "
              "catalog_nbr, class_nbr) select id, '2261', 'CSE', '110', '12431' from u "
              "returning id");
    query(
        "insert into public.notifications_sent (class_watch_id, notification_type, expires_at) "
        "values ('" +
        watch + "', '" + mail.type + "', " + now() + " + interval '24 h')");
    return notify(watch, mail);
  }

  std::string notify(const std::string& watch, const MailRow& mail = {}) {
    const std::string key = watch + "." + mail.type + "." + std::to_string(++mails_);
    const std::string until = format_rfc3339(clock_.wall_now() + 30min);
    const std::string body = R"({"kind":"class-monitor","to":")" + mail.recipient + R"(","key":")" +
                             key + R"(","valid_until":")" + until + R"(","data":{"type":")" +
                             mail.type + R"(","class_nbr":"12431","term":"2261","checked_at":)" +
                             R"("2026-01-01T00:00:00Z","seats_available":3}})";
    query(
        "insert into edged.notifications (notification_id, run_id, class_watch_id, user_id, "
        "notification_type, class_nbr, term, recipient, message_id, valid_until, created_at) "
        "select '" +
        key + "', 77, id, user_id, '" + mail.type + "', '12431', '2261', '" + mail.recipient +
        "', edged.queue_send('email', '" + body + "', unique_key => '" + key + "', sent_at => " +
        now() + "), '" + until + "', " + now() + " from public.class_watches where id = '" + watch +
        "'");
    return key;
  }

  void set_state(int seats, const std::string& non_reserved, const std::string& checked_at) {
    query(
        "insert into public.class_states (term, subject, catalog_nbr, class_nbr, seats_available, "
        "non_reserved_seats, last_checked_at) values ('2261', 'CSE', '110', '12431', " +
        std::to_string(seats) + ", " + non_reserved + ", " + checked_at + ")");
  }
  void set_profile(const std::string& column, bool on) {
    query("insert into public.user_profiles (user_id, " + column + ") select user_id, " +
          (on ? "true" : "false") + " from edged.notifications order by message_id desc limit 1");
  }
  void let_watches_count_reserved_seats() {
    query("update public.class_watches set include_reserved_seats = true");
  }

  // One worker's part in the mails; it remembers what the upstream said.
  struct Worker {
    explicit Worker(SeatLettersTest& test)
        : letters(test.io_.get_executor(),
                  *test.pool_,
                  test.clock_,
                  {*worker::TimeZone::load("UTC")},
                  test.ask_seats_),
          sender(test.io_.get_executor(),
                 *test.pool_,
                 test.transport_,
                 test.clock_,
                 test.metrics_,
                 test.options_) {
      sender.add_kind(SeatLetters::kName, letters);
    }
    SeatLetters letters;
    mail::Sender sender;
  };

  Delivered deliver() {
    Worker worker(*this);
    return deliver_by(worker);
  }
  Delivered deliver_by(Worker& worker) {
    const Delivered before = counted();
    queue::Consumer consumer(io_.get_executor(),
                             *pool_,
                             clock_,
                             metrics_,
                             worker.sender.consumer_options(),
                             worker.sender.handler());
    const Status done = run_awaitable(io_, consumer.drain_due());
    EXPECT_TRUE(done.ok()) << done.to_string();
    const Delivered after = counted();
    return {after.sent - before.sent,
            after.dropped - before.dropped,
            after.dead - before.dead,
            after.retried - before.retried};
  }

  // "status/reason" of a notification.
  std::string outcome(const std::string& id) {
    return value(
        "select status || '/' || coalesce(reason, '') from edged.mails where "
        "notification_id = '" +
        id + "'");
  }
  std::string claims() { return value("select count(*) from public.notifications_sent"); }

  // Makes the upstream answer, and counts the questions.
  void upstream_says(Result<Seats> answer) {
    ask_seats_ = [this, answer](SectionQuestion question) {
      return note_question(std::move(question), answer);
    };
  }
  asio::awaitable<Result<Seats>> note_question(SectionQuestion question, Result<Seats> answer) {
    questions_.push_back(question.class_nbr + "@" + question.term);
    if (while_asked_) while_asked_();
    if (wait_for_answer_) co_await wait_for_answer_();
    co_return answer;
  }

  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  MetricsRegistry metrics_;
  edged::test::ManualClock clock_;
  ScriptedTransport transport_;
  mail::SenderOptions options_;
  AskSeats ask_seats_;
  std::function<void()> while_asked_;
  std::function<asio::awaitable<void>()> wait_for_answer_;
  std::vector<std::string> questions_;
  std::optional<db::PgPool> pool_;
  int mails_ = 0;

 private:
  // The sum over all workers.
  std::uint64_t count_of(const std::string& result) {
    const std::string sample = "\nedged_queued_mails_total{result=\"" + result + "\"} ";
    const std::string page = metrics_.render();
    std::uint64_t sum = 0;
    for (std::size_t at = page.find(sample); at != std::string::npos;
         at = page.find(sample, at + 1)) {
      sum += std::stoull(page.substr(at + sample.size(), 20));
    }
    return sum;
  }
  Delivered counted() {
    return {count_of("sent"), count_of("dropped"), count_of("dead"), count_of("retried")};
  }
};

}  // namespace edged::class_monitor
