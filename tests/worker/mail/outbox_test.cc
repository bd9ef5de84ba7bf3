// SPDX-License-Identifier: Apache-2.0
// Delivery from the outbox: every way a mail can end, with a scripted transport and a manual clock.
#include "worker/mail/outbox.h"

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
#include "worker/db/migrate.h"

namespace edged::mail {
namespace {

namespace asio = boost::asio;
using edged::testing::ManualClock;
using test::PostgresCluster;
using test::run_awaitable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Answers with the scripted statuses, then with ok. `before` runs before each answer.
class ScriptedTransport final : public Transport {
 public:
  asio::awaitable<Status> deliver(Message message) override {
    if (before) before();
    if (pause.count() > 0) {
      asio::steady_timer timer(co_await asio::this_coro::executor, pause);
      co_await timer.async_wait(asio::use_awaitable);
    }
    Status answer;
    if (!script.empty()) {
      answer = script.front();
      script.pop_front();
    }
    messages.push_back(std::move(message));
    co_return answer;
  }

  std::deque<Status> script;
  std::vector<Message> messages;
  std::function<void()> before;
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
        io_.get_executor(), *pool_, transport_, clock_, metrics_, options_, still_open_);
  }

  OutboxCounts deliver() {
    OutboxDelivery delivery(
        io_.get_executor(), *pool_, transport_, clock_, metrics_, options_, still_open_);
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
  void answer_still_open(Result<bool> answer) {
    still_open_ = [this, answer](std::string class_nbr, std::string term) {
      return ask(std::move(class_nbr), std::move(term), answer);
    };
  }
  asio::awaitable<Result<bool>> ask(std::string class_nbr, std::string term, Result<bool> answer) {
    questions_.push_back(class_nbr + "@" + term);
    co_return answer;
  }

  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  MetricsRegistry metrics_;
  ManualClock clock_;
  ScriptedTransport transport_;
  OutboxOptions options_;
  StillOpen still_open_;
  std::vector<std::string> questions_;
  std::optional<db::PgPool> pool_;
  int mails_ = 0;
};

TEST_F(OutboxDeliveryTest, SendsWhatIsDueInOrderAndKeepsTheRecord) {
  std::vector<std::string> ids;
  for (int i = 0; i < 25; ++i) ids.push_back(add_mail());
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.sent, 25);
  ASSERT_EQ(transport_.messages.size(), 25U);
  for (const std::string& id : ids) EXPECT_EQ(outcome(id), "sent//1");
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(
        transport_.messages[i].message_id,
        value("select notification_id from edged.mails where id = " + ids[i]) + "@example.org");
  }
  EXPECT_EQ(transport_.messages[0].recipient, "student@example.edu");
  EXPECT_EQ(value("select count(*) from edged.mails where finished_at = " + now()), "25");
  EXPECT_EQ(deliver().sent, 0);
  EXPECT_THAT(metrics_.render(), HasSubstr("edged_mails_total{result=\"sent\"} 25"));
}

TEST_F(OutboxDeliveryTest, LeavesMailsThatAreNotDue) {
  const std::string id = add_mail();
  query("update edged.mails set next_attempt_at = next_attempt_at + interval '1 min'");
  EXPECT_EQ(deliver().sent, 0);
  clock_.advance(1min);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//1");
}

TEST_F(OutboxDeliveryTest, AsksTheProfileOnceMoreBeforeSending) {
  const struct {
    const char* column;
    bool on;
    const char* reason;
  } cases[] = {{"is_disabled", true, "the account is disabled"},
               {"notifications_enabled", false, "notifications are switched off"},
               {"email_bounced", true, "the address bounced"},
               {"spam_complained", true, "the user complained of spam"}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    set_profile(test.column, test.on);
    EXPECT_EQ(deliver().dropped, 1);
    EXPECT_EQ(outcome(id), std::string("dropped/") + test.reason + "/1");
  }
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(claims(), "4");
  const std::string id = add_mail();
  set_profile("notifications_enabled", true);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//1");
}

TEST_F(OutboxDeliveryTest, RemovedWatchIsNotMailed) {
  const std::string id = add_mail();
  query("delete from public.class_watches");
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(id), "dropped/the watch was removed/1");
}

TEST_F(OutboxDeliveryTest, MailInTimeIsNotJudgedAgain) {
  add_mail();
  set_state(0, "null", now());
  answer_still_open(false);
  clock_.advance(30min);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(OutboxDeliveryTest, LateMailOfAnOpenSectionIsSent) {
  add_mail();
  clock_.advance(31min);
  set_state(2, "null", now());
  answer_still_open(false);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(OutboxDeliveryTest, LateMailOfAClosedSectionReleasesItsClaim) {
  const struct {
    int seats;
    const char* non_reserved;
  } cases[] = {{0, "null"}, {5, "0"}, {5, "-1"}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    clock_.advance(31min);
    query("delete from public.class_states");
    set_state(test.seats, test.non_reserved, now());
    EXPECT_EQ(deliver().dropped, 1);
    EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
    EXPECT_EQ(claims(), "0");
  }
  EXPECT_TRUE(transport_.messages.empty());
}

TEST_F(OutboxDeliveryTest, LaterMailOfTheSameWatchKeepsTheClaim) {
  const std::string id = add_mail();
  query(
      "insert into edged.mails (notification_id, run_id, class_watch_id, user_id, "
      "notification_type, class_nbr, "
      "term, recipient, facts, next_attempt_at, valid_until, created_at) select notification_id || "
      "'x', 78, "
      "class_watch_id, user_id, notification_type, class_nbr, term, recipient, facts, "
      "next_attempt_at + "
      "interval '1 day', valid_until + interval '1 day', created_at from edged.mails");
  clock_.advance(31min);
  set_state(0, "null", now());
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
  EXPECT_EQ(claims(), "1");
}

TEST_F(OutboxDeliveryTest, LateMailWithAnOldStateAsksTheUpstream) {
  add_mail();
  set_state(2, "null", now());
  clock_.advance(31min);
  answer_still_open(false);
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_THAT(questions_, ElementsAre("12431@2261"));
  EXPECT_EQ(claims(), "0");

  query("update public.class_states set seats_available = 0");
  const std::string open = add_mail();
  clock_.advance(31min);
  answer_still_open(true);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(open), "sent//1");
}

TEST_F(OutboxDeliveryTest, RecentCheckOfTheSectionCountsAsARecentState) {
  add_mail();
  set_state(2, "null", now());
  clock_.advance(31min);
  query("insert into edged.section_checks values ('12431', 5, " + now() + " - interval '9 min')");
  answer_still_open(false);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(OutboxDeliveryTest, LateMailWaitsWhileTheUpstreamIsDown) {
  const std::string id = add_mail();
  clock_.advance(31min);
  answer_still_open(Status(Code::kUnavailable, "circuit open"));
  EXPECT_EQ(deliver().retried, 1);
  EXPECT_EQ(outcome(id), "pending//1");
  EXPECT_EQ(claims(), "1");
  clock_.advance(1min);
  answer_still_open(true);
  EXPECT_EQ(deliver().sent, 1);
}

TEST_F(OutboxDeliveryTest, LateInstructorMailIsStillTrue) {
  MailRow mail;
  mail.type = "instructor_assigned";
  add_mail(mail);
  clock_.advance(31min);
  set_state(0, "null", now());
  EXPECT_EQ(deliver().sent, 1);
}

TEST_F(OutboxDeliveryTest, RetriesTemporaryErrorsWithBackOff) {
  const std::string id = add_mail();
  transport_.script = {Status(Code::kUnavailable, "try later"),
                       Status(Code::kUnknownOutcome, "cut")};
  EXPECT_EQ(deliver().retried, 1);
  EXPECT_EQ(outcome(id), "pending//1");
  EXPECT_EQ(deliver().retried, 0);
  clock_.advance(2s);
  EXPECT_EQ(deliver().retried, 1);
  clock_.advance(4s);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//3");
  ASSERT_EQ(transport_.messages.size(), 3U);
  EXPECT_EQ(transport_.messages[0].content, transport_.messages[2].content);
  EXPECT_EQ(transport_.messages[0].message_id, transport_.messages[2].message_id);
}

TEST_F(OutboxDeliveryTest, GivesUpAfterTwentyAttempts) {
  const std::string id = add_mail();
  query("update edged.mails set valid_until = valid_until + interval '1 year'");
  for (int i = 0; i < 20; ++i) {
    transport_.script.push_back(Status(Code::kIoError, "disk gone"));
    EXPECT_EQ(deliver().retried, i < 19 ? 1 : 0);
    clock_.advance(10min);
  }
  EXPECT_EQ(outcome(id), "dead/20 attempts failed, the last: disk gone/20");
  EXPECT_EQ(deliver().sent, 0);
}

TEST_F(OutboxDeliveryTest, PermanentErrorsAreDeadAtOnce) {
  const std::string refused = add_mail();
  transport_.script = {Status(Code::kInvalidArgument, "no such mailbox")};
  EXPECT_EQ(deliver().dead, 1);
  EXPECT_EQ(outcome(refused), "dead/no such mailbox/1");
  MailRow unreadable;
  unreadable.facts = R"({"checked_at":"yesterday"})";
  const std::string wrong_facts = add_mail(unreadable);
  MailRow address;
  address.recipient = "nobody";
  const std::string wrong_address = add_mail(address);
  MailRow type;
  type.type = "weather";
  const std::string wrong_type = add_mail(type);
  EXPECT_EQ(deliver().dead, 3);
  EXPECT_THAT(outcome(wrong_facts), HasSubstr("dead/could not read the mail's facts"));
  EXPECT_THAT(outcome(wrong_address), HasSubstr("dead/"));
  EXPECT_THAT(outcome(wrong_type), HasSubstr("dead/"));
  EXPECT_EQ(transport_.messages.size(), 1U);
}

TEST_F(OutboxDeliveryTest, TwoDeliverersSendEachMailOnce) {
  for (int i = 0; i < 30; ++i) add_mail();
  transport_.pause = 1ms;
  options_.batch_size = 7;
  OutboxDelivery first = make();
  OutboxDelivery second = make();
  std::vector<Result<OutboxCounts>> results;
  auto work = [](OutboxDelivery* delivery,
                 std::vector<Result<OutboxCounts>>* out) -> asio::awaitable<void> {
    Result<OutboxCounts> counts = co_await delivery->deliver_due();
    out->push_back(std::move(counts));
  };
  asio::co_spawn(io_, work(&first, &results), asio::detached);
  asio::co_spawn(io_, work(&second, &results), asio::detached);
  io_.restart();
  io_.run();
  ASSERT_EQ(results.size(), 2U);
  ASSERT_TRUE(results[0] && results[1]);
  EXPECT_GT(results[0].value().sent, 0);
  EXPECT_GT(results[1].value().sent, 0);
  EXPECT_EQ(results[0].value().sent + results[1].value().sent, 30);
  std::map<std::string, int> by_id;
  for (const Message& message : transport_.messages) ++by_id[message.message_id];
  EXPECT_EQ(by_id.size(), 30U);
  EXPECT_EQ(transport_.messages.size(), 30U);
}

TEST_F(OutboxDeliveryTest, RescuesTheMailsOfADeadDeliverer) {
  const std::string id = add_mail();
  query(
      "update edged.mails set status = 'sending', lease_number = 4, attempts = 1, lease_until = " +
      now() + " + interval '30 s'");
  EXPECT_EQ(deliver().sent, 0);
  clock_.advance(30s);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//2");
  EXPECT_EQ(value("select lease_number from edged.mails"), "5");
}

TEST_F(OutboxDeliveryTest, LateCompletionOfALostLeaseChangesNothing) {
  const std::string id = add_mail();
  transport_.before = [this] {
    query("update edged.mails set lease_number = lease_number + 1, attempts = attempts + 1");
  };
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.lost, 1);
  EXPECT_EQ(counts.sent, 0);
  EXPECT_EQ(outcome(id), "sending//2");
}

TEST_F(OutboxDeliveryTest, LeaseLostBeforeSendingSendsNothing) {
  const std::string first = add_mail();
  const std::string second = add_mail();
  transport_.before = [this, second] {
    query("update edged.mails set lease_number = lease_number + 1 where id = " + second);
  };
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.sent, 1);
  EXPECT_EQ(counts.lost, 1);
  EXPECT_EQ(transport_.messages.size(), 1U);
}

TEST_F(OutboxDeliveryTest, CountsThePendingMailsOfARun) {
  add_mail();
  add_mail();
  OutboxDelivery delivery = make();
  EXPECT_EQ(*run_awaitable(io_, delivery.pending_of_run(77)), 2);
  EXPECT_EQ(*run_awaitable(io_, delivery.pending_of_run(78)), 0);
  deliver();
  EXPECT_EQ(*run_awaitable(io_, delivery.pending_of_run(77)), 0);
}

TEST_F(OutboxDeliveryTest, LoopDeliversWhenWokenAndSurvivesARestartOfTheServer) {
  options_.poll_interval = 20ms;
  OutboxDelivery delivery = make();
  bool ended = false;
  auto loop = [](OutboxDelivery* target, bool* out) -> asio::awaitable<void> {
    co_await target->run();
    *out = true;
  };
  asio::co_spawn(io_, loop(&delivery, &ended), asio::detached);
  const auto run_until_sent = [this](std::size_t count) {
    const auto begin = std::chrono::steady_clock::now();
    io_.restart();
    while (transport_.messages.size() < count && std::chrono::steady_clock::now() - begin < 20s) {
      io_.run_one_for(100ms);
    }
    return transport_.messages.size();
  };
  add_mail();
  delivery.wake();
  EXPECT_EQ(run_until_sent(1), 1U);
  cluster_.stop_immediately();
  io_.run_for(200ms);
  cluster_.start();
  add_mail();
  EXPECT_EQ(run_until_sent(2), 2U);
  delivery.stop();
  io_.run_for(5s);
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace edged::mail
