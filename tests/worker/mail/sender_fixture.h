// SPDX-License-Identifier: Apache-2.0
// A Sender on a real queue, with a transport and a kind of letters that do what a test says.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/manual_clock.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/db/migrate.h"
#include "worker/mail/sender.h"

namespace edged::mail {

namespace asio = boost::asio;
using test::PostgresCluster;
using test::run_awaitable;
using Outcome = Delivery::Outcome;

class ScriptedTransport final : public Transport {
 public:
  std::string_view name() const override { return "scripted"; }
  Limits limits() const override { return {.batch_max = batch_max, .parallel_max = 4}; }
  bool is_idempotent() const override { return idempotent; }
  std::string freeze(const std::vector<Message>& mails) const override {
    std::string out;
    for (const Message& mail : mails) out.append(mail.message_id).append("\n");
    return out;
  }
  asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) override {
    most_at_once = std::max(most_at_once, ++at_once);
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(2));
    co_await timer.async_wait(asio::use_awaitable);
    --at_once;
    attempts.push_back(attempt);
    if (!parcel.messages.empty()) messages.push_back(parcel.messages[0]);
    Delivery answer{Outcome::kAccepted, "250 ok", {}, {}, {}};
    for (std::size_t i = 1; i <= parcel.mails(); ++i) {
      answer.provider_ids.push_back("id-" + std::to_string(i));
    }
    if (judge) answer.outcome = judge(parcel);
    parcels.push_back(std::move(parcel));
    if (!script.empty()) {
      answer = script.front();
      script.pop_front();
    }
    co_return answer;
  }
  std::deque<Delivery> script;
  std::size_t batch_max = 1;
  bool idempotent = false;
  std::function<Outcome(const Parcel&)> judge;  // instead of acceptance; the script goes first
  std::vector<Parcel> parcels;
  std::vector<Message> messages;  // the first one of each parcel that has any
  std::vector<Attempt> attempts;
  int at_once = 0, most_at_once = 0;
};

// Says what the test wants to each letter.
class ScriptedKind final : public LetterKind {
 public:
  Result<Content> render(const Letter& letter) const override {
    return Content{"S", "for " + letter.key, "", {}};
  }
  asio::awaitable<Result<std::vector<Judgement>>> recheck(std::vector<Letter> letters) override {
    ++rechecks;
    if (!failure.ok()) co_return failure;
    std::vector<Judgement> all(letters.size(), judgement);
    co_return all;
  }
  asio::awaitable<Result<Judgement>> ask(Letter) override {
    ++asks;
    co_return Judgement{};
  }
  Judgement judgement;
  Status failure;
  int rechecks = 0, asks = 0;
};

class SenderTest : public ::testing::Test {
 protected:
  SenderTest() {
    db::MigrateOptions schema;
    schema.url = cluster_.url(database_);
    const auto migrated = run_awaitable(io_, db::migrate(io_.get_executor(), schema));
    if (!migrated) ADD_FAILURE() << migrated.error().to_string();
    db::PgPoolOptions target;
    target.url = cluster_.url(database_);
    pool_.emplace(io_.get_executor(), target, metrics_);
    SenderOptions options;
    options.identity.from = "F <f@example.org>";
    sender_.emplace(io_.get_executor(), *pool_, transport_, clock_, metrics_, options);
    sender_->add_kind("k", kind_);
  }

  void send(const std::string& body) {
    cluster_.value(database_, "select edged.queue_send('email', '" + body + "')");
  }
  void deliver() {
    queue::Consumer consumer(io_.get_executor(),
                             *pool_,
                             clock_,
                             metrics_,
                             sender_->consumer_options(),
                             sender_->handler());
    const Status done = run_awaitable(io_, consumer.drain_due());
    EXPECT_TRUE(done.ok()) << done.to_string();
  }
  std::string value(const std::string& sql) { return cluster_.value(database_, sql); }
  std::string events() {
    return value(
        "select string_agg(key || ' ' || event || ' ' || coalesce(detail, '-'), '; ' order by id) "
        "from edged.mail_events");
  }
  std::string left() { return value("select count(*) from edged.queue_messages"); }
  std::string dead() {
    return value("select coalesce(string_agg(reason, '; '), '') from edged.queue_dead");
  }

  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  MetricsRegistry metrics_;
  SystemClock clock_;
  ScriptedTransport transport_;
  ScriptedKind kind_;
  std::optional<db::PgPool> pool_;
  std::optional<Sender> sender_;
};

}  // namespace edged::mail
