// SPDX-License-Identifier: Apache-2.0
// An outbox with a database of its own, a scripted transport and a clock that the test moves.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "tests/support/manual_clock.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/class_monitor/outbox.h"
#include "worker/db/migrate.h"

namespace edged::mail {

namespace asio = boost::asio;
using edged::test::ManualClock;
using test::PostgresCluster;
using test::run_awaitable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

// Answers with the scripted statuses, then with ok. `before` runs before each answer.
class ScriptedTransport final : public Transport {
 public:
  std::string_view name() const override { return "scripted"; }
  Limits limits() const override { return {}; }
  asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) override {
    attempts.push_back(attempt);
    if (before) before();
    if (wait) co_await wait();
    if (pause.count() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor, pause);
      co_await timer.async_wait(asio::use_awaitable);
    }
    Status answer;
    if (!script.empty()) {
      answer = script.front();
      script.pop_front();
    }
    messages.push_back(std::move(parcel.messages.at(0)));
    if (answer.ok() && !refusals.empty()) {
      const Delivery refusal = refusals.front();
      refusals.pop_front();
      co_return refusal;
    }
    co_return delivery_of(answer);
  }

  std::deque<Status> script;
  std::deque<Delivery> refusals;  // in place of an ok answer
  std::vector<Message> messages;
  std::vector<Attempt> attempts;  // as they began
  std::function<void()> before;
  std::function<asio::awaitable<void>()> wait;
  std::chrono::milliseconds pause{0};
};

struct MailRow {
  std::string type = "seat_available";
  std::string facts = R"({"checked_at":"2026-01-01T00:00:00Z","seats_available":3})";
  std::string recipient = "student@example.edu";
};

class OutboxDeliveryTest : public ::testing::Test {
 protected:
  OutboxDeliveryTest() {
    db::MigrateOptions schema;
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

  // A user who watches section 12431, the claim and the mail; returns the mail's id.
  std::string add_mail(const MailRow& mail = {}) {
    const std::string number = std::to_string(++mails_);
    return value(
        "with u as (insert into auth.users (email) values ('" + mail.recipient +
        "') returning id) "
        "insert into public.class_watches (user_id, term, subject, catalog_nbr, class_nbr) "
        "select id, '2261', 'CSE', '110', '12431' from u; "
        "insert into edged.mails (notification_id, run_id, class_watch_id, user_id, "
        "notification_type, class_nbr, term, recipient, facts, next_attempt_at, valid_until, "
        "created_at) select id || '." +
        mail.type + "." + number + "', 77, id, user_id, '" + mail.type + "', '12431', '2261', '" +
        mail.recipient + "', '" + mail.facts + "', " + now() + ", " + now() +
        " + interval '30 min', " + now() +
        " from public.class_watches w where not exists (select from edged.mails m where "
        "m.class_watch_id = w.id); "
        "insert into public.notifications_sent (class_watch_id, notification_type, expires_at) "
        "select class_watch_id, notification_type, " +
        now() +
        " + interval '24 h' from edged.mails where id = (select max(id) from edged.mails) and "
        "notification_type <> 'weather'; "
        "select max(id) from edged.mails");
  }

  void set_state(int seats, const std::string& non_reserved, const std::string& checked_at) {
    query(
        "insert into public.class_states (term, subject, catalog_nbr, class_nbr, seats_available, "
        "non_reserved_seats, last_checked_at) values ('2261', 'CSE', '110', '12431', " +
        std::to_string(seats) + ", " + non_reserved + ", " + checked_at + ")");
  }

  void set_profile(const std::string& column, bool on) {
    query("insert into public.user_profiles (user_id, " + column + ") select user_id, " +
          (on ? "true" : "false") + " from edged.mails order by id desc limit 1");
  }

  OutboxDelivery make() {
    return OutboxDelivery(
        io_.get_executor(), *pool_, transport_, clock_, metrics_, options_, ask_seats_);
  }

  OutboxCounts deliver() {
    OutboxDelivery delivery = make();
    return deliver_by(delivery);
  }
  OutboxCounts deliver_by(OutboxDelivery& delivery) {
    Result<OutboxCounts> counts = run_awaitable(io_, delivery.deliver_due());
    if (!counts) ADD_FAILURE() << counts.error().to_string();
    return counts ? *counts : OutboxCounts{};
  }

  // "status/reason/attempts" of a mail.
  std::string outcome(const std::string& id) {
    return value(
        "select status || '/' || coalesce(reason, '') || '/' || attempts from edged.mails where id "
        "= " +
        id);
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
  ManualClock clock_;
  ScriptedTransport transport_;
  OutboxOptions options_;
  AskSeats ask_seats_;
  std::function<void()> while_asked_;
  std::function<asio::awaitable<void>()> wait_for_answer_;
  std::vector<std::string> questions_;
  std::optional<db::PgPool> pool_;
  int mails_ = 0;
};

}  // namespace edged::mail
