// SPDX-License-Identifier: Apache-2.0
// Delivery from the outbox: late mails whose state is old, for which the upstream is asked.
#include "tests/worker/class_monitor/outbox_fixture.h"

namespace edged::mail {
namespace {

constexpr const char* kState =
    "select seats_available || '/' || coalesce(non_reserved_seats::text, '') from "
    "public.class_states";

class OutboxUpstreamTest : public OutboxDeliveryTest {
 protected:
  void set_old_state(int seats, const std::string& non_reserved) {
    query("delete from public.class_states; delete from edged.section_checks");
    set_state(seats, non_reserved, now());
    query("insert into edged.section_checks values ('12431', nextval('edged.run_epoch'), " + now() +
          ")");
    clock_.advance(31min);
  }
  void let_watches_count_reserved_seats() {
    query("update public.class_watches set include_reserved_seats = true");
  }
};

TEST_F(OutboxUpstreamTest, OpenSectionIsMailedAndItsStateIsLeftToRuns) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  upstream_says(Seats{4, std::nullopt});
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//1");
  EXPECT_THAT(questions_, ElementsAre("12431@2261"));
  EXPECT_EQ(value(kState), "2/");
  EXPECT_EQ(claims(), "1");
}

TEST_F(OutboxUpstreamTest, ClosingIsStoredAndEveryWatcherMayBeToldAgain) {
  add_mail();
  EXPECT_EQ(deliver().sent, 1);  // in time
  const std::string late = add_mail();
  query(
      "insert into public.notifications_sent (class_watch_id, notification_type, expires_at) "
      "select class_watch_id, 'instructor_assigned', expires_at from public.notifications_sent");
  set_old_state(2, "null");
  const std::string epoch = value("select epoch from edged.section_checks");
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(late), "dropped/closed again before sending/1");
  EXPECT_EQ(value(kState), "0/");
  EXPECT_EQ(value("select last_changed_at = " + now() + " and last_checked_at = " + now() +
                  " from public.class_states"),
            "t");
  EXPECT_EQ(value("select epoch > " + epoch + " and requested_at = " + now() +
                  " from edged.section_checks"),
            "t");
  EXPECT_EQ(value("select count(*) from public.notifications_sent where notification_type = "
                  "'seat_available'"),
            "0");
  EXPECT_EQ(claims(), "2");
}

TEST_F(OutboxUpstreamTest, StoresTheClosingAsItWasSeen) {
  const struct {
    const char* name;
    int seats;
    const char* non_reserved;
    Seats seen;
    const char* stored;
  } cases[] = {
      {"no detail", 3, "null", {0, std::nullopt}, "0/"},
      {"full", 5, "3", {0, 0}, "0/0"},
      {"reserved ones are left", 5, "3", {4, 0}, "4/0"},
      {"none at all, the detail lost", 5, "3", {0, std::nullopt}, "0/0"},
      {"the detail alone", 5, "3", {std::nullopt, 0}, "5/0"},
      {"a detail for the first time", 3, "null", {3, 0}, "3/0"},
      {"what opened for others meanwhile is left to a run", 0, "3", {2, 0}, "0/0"},
      {"closed already", 0, "null", {0, std::nullopt}, "0/"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    const std::string id = add_mail();
    set_old_state(test.seats, test.non_reserved);
    upstream_says(test.seen);
    EXPECT_EQ(deliver().dropped, 1);
    EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
    EXPECT_EQ(value(kState), test.stored);
    EXPECT_EQ(claims(), "0");
  }
}

TEST_F(OutboxUpstreamTest, ClosingForOneKindOfWatchLeavesTheClaimsOfTheOther) {
  add_mail();
  let_watches_count_reserved_seats();
  EXPECT_EQ(deliver().sent, 1);  // in time
  add_mail();
  set_old_state(5, "3");
  upstream_says(Seats{4, 0});
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(value("select w.include_reserved_seats from public.notifications_sent n join "
                  "public.class_watches w on w.id = n.class_watch_id"),
            "t");
  let_watches_count_reserved_seats();
  add_mail();
  let_watches_count_reserved_seats();
  set_old_state(5, "0");
  upstream_says(Seats{0, 0});
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(value(kState), "0/0");
  EXPECT_EQ(claims(), "0");
}

TEST_F(OutboxUpstreamTest, ClosingWithoutAStateReleasesTheClaim) {
  add_mail();
  clock_.advance(31min);
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(claims(), "0");
  // One of another term is of another course.
  add_mail();
  set_old_state(3, "null");
  query("update public.class_states set term = '2264'");
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(value(kState), "3/");
  EXPECT_EQ(claims(), "0");
}

TEST_F(OutboxUpstreamTest, RunThatBeganLaterOverrulesTheAnswer) {
  const struct {
    int seats;
    Seats seen;
    const char* outcome;
  } cases[] = {{5, {0, std::nullopt}, "sent//1"},
               {0, {0, std::nullopt}, "dropped/closed again before sending/1"},
               {0, {3, std::nullopt}, "dropped/closed again before sending/1"}};
  for (const auto& test : cases) {
    const std::string id = add_mail();
    set_old_state(2, "null");
    while_asked_ = [this, &test] {
      query("update edged.section_checks set epoch = nextval('edged.run_epoch'), requested_at = " +
            now() +
            "; update public.class_states set seats_available = " + std::to_string(test.seats));
    };
    upstream_says(test.seen);
    deliver();
    EXPECT_EQ(outcome(id), test.outcome);
    EXPECT_EQ(value(kState), std::to_string(test.seats) + "/");
  }
}

// A run's transaction that is open when the closing is stored.
class OutboxRaceTest : public OutboxUpstreamTest {
 protected:
  std::string claiming_ = "select 1";
  // Holds its locks until somebody waits for one.
  asio::awaitable<void> settle_as_a_run(std::string epoch) {
    std::vector<db::PgStatement> statements(4);
    statements[0].sql = "update edged.section_checks set epoch = " + epoch;
    statements[1].sql = "update public.class_states set seats_available = 7";
    statements[2].sql = claiming_;
    statements[3].sql =
        "do $$ begin for i in 1..300 loop "
        "exit when exists (select from pg_locks where not granted); "
        "perform pg_sleep(0.01); end loop; end $$";
    const auto done = co_await pool_->execute_pipeline(std::move(statements));
    EXPECT_TRUE(done) << (done ? "" : done.error().to_string());
  }
  asio::awaitable<void> begin_to_settle(std::string epoch) {
    asio::co_spawn(io_, settle_as_a_run(std::move(epoch)), asio::detached);
    const std::string locked =
        "select count(*) from pg_locks where relation = 'public.class_states'::regclass and mode = "
        "'RowExclusiveLock'";
    while (value(locked) == "0") {
      asio::steady_timer pause(co_await asio::this_coro::executor, 5ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }
};

TEST_F(OutboxRaceTest, OlderRunIsOverwritten) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  wait_for_answer_ = [this] { return begin_to_settle("epoch"); };
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
  EXPECT_EQ(value(kState), "0/");
  EXPECT_EQ(claims(), "0");
}

// The claims of the run are made in a transaction that the closing's snapshot does not hold.
TEST_F(OutboxRaceTest, OlderRunsClaimsAreResetToo) {
  const std::string id = add_mail();
  query(
      "with u as (insert into auth.users (email) values ('other@example.edu') returning id) "
      "insert into public.class_watches (user_id, term, subject, catalog_nbr, class_nbr) "
      "select id, '2261', 'CSE', '110', '12431' from u");
  set_old_state(2, "null");
  claiming_ =
      "insert into public.notifications_sent (class_watch_id, notification_type, expires_at) "
      "select id, 'seat_available', '2100-01-01' from public.class_watches "
      "on conflict do nothing";
  wait_for_answer_ = [this] { return begin_to_settle("epoch"); };
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending/1");
  EXPECT_EQ(value("select count(*) from public.class_watches"), "2");
  EXPECT_EQ(claims(), "0");
}

// The application's own rules are against what was seen.
TEST_F(OutboxUpstreamTest, AClosingThatTheDatabaseRefusesEndsNoPass) {
  const std::string id = add_mail(), other = add_mail({.recipient = "b@example.edu"});
  set_old_state(2, "null");
  query("alter table public.class_states add constraint open check (seats_available > 0)");
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().retried, 2);
  EXPECT_EQ(outcome(id), "pending//1");
  EXPECT_EQ(outcome(other), "pending//1");
}

TEST_F(OutboxRaceTest, NewerRunStands) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  wait_for_answer_ = [this] {
    return begin_to_settle("nextval('edged.run_epoch'), requested_at = " + now());
  };
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//1");
  EXPECT_EQ(value(kState), "7/");
  EXPECT_EQ(claims(), "1");
}

TEST_F(OutboxUpstreamTest, SeatsThatAreUnknownSendNothing) {
  for (const bool with_reserved : {false, true}) {
    const std::string id = add_mail();
    if (with_reserved) let_watches_count_reserved_seats();
    set_old_state(5, "3");
    upstream_says(Seats{5, std::nullopt});  // the detail could not be read
    OutboxDelivery delivery = make();
    EXPECT_EQ(deliver_by(delivery).retried, 1);
    EXPECT_EQ(outcome(id), "pending//1");
    EXPECT_EQ(value(kState), "5/3");
    // It is asked for anew, though not at once.
    questions_.clear();
    clock_.advance(3s);
    EXPECT_EQ(deliver_by(delivery).retried, 1);
    EXPECT_TRUE(questions_.empty());
    clock_.advance(1min);
    EXPECT_EQ(deliver_by(delivery).retried, 1);
    EXPECT_EQ(questions_.size(), 1U);
    query("update edged.mails set attempts = 19 where id = " + id);
    clock_.advance(10min);
    EXPECT_EQ(deliver_by(delivery).dead, 1);
  }
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(claims(), "2");
}

TEST_F(OutboxUpstreamTest, WaitsWhileTheUpstreamIsDown) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(add_mail());
  clock_.advance(31min);
  upstream_says(Status(Code::kUnavailable, "circuit open"));
  EXPECT_EQ(deliver().retried, 3);
  EXPECT_EQ(questions_.size(), 1U);
  for (const std::string& id : ids) EXPECT_EQ(outcome(id), "pending//1");
  EXPECT_EQ(claims(), "3");
  clock_.advance(1min);
  upstream_says(Seats{3, std::nullopt});
  EXPECT_EQ(deliver().sent, 3);
}

TEST_F(OutboxUpstreamTest, AsksOnceForAllMailsOfASection) {
  upstream_says(Seats{3, 3});
  OutboxDelivery asking = make();
  for (int i = 0; i < 25; ++i) add_mail();
  set_old_state(2, "2");
  EXPECT_EQ(deliver_by(asking).sent, 25);
  EXPECT_EQ(questions_.size(), 1U);
  // As long as a state would be believed.
  for (const auto& [wait, questions] : {std::pair(9min, 1U), std::pair(1min, 2U)}) {
    const std::string id = add_mail();
    query("update edged.mails set valid_until = valid_until - interval '1 h' where id = " + id);
    clock_.advance(wait);
    EXPECT_EQ(deliver_by(asking).sent, 1);
    EXPECT_EQ(questions_.size(), questions);
  }
  // A closing, too: here it is the stored state that tells the others.
  for (int i = 0; i < 25; ++i) add_mail();
  set_old_state(2, "2");
  upstream_says(Seats{0, 0});
  EXPECT_EQ(deliver().dropped, 25);
  EXPECT_EQ(questions_.size(), 3U);
}

// Whoever is slow keeps the mail: nobody else sends it meanwhile.
class OutboxLeaseTest : public OutboxUpstreamTest {
 protected:
  OutboxLeaseTest() { options_.lease = 90ms; }

  // Lives through several leases, each of which must have been renewed before it ends.
  asio::awaitable<void> outlast_the_lease() {
    wait_for_answer_ = nullptr;  // another one does not wait
    transport_.wait = nullptr;
    OutboxDelivery other = make();
    for (int i = 0; i < 3; ++i) {
      clock_.advance(89ms);
      const bool is_kept = co_await was_renewed();
      EXPECT_TRUE(is_kept);
      if (!is_kept) clock_.advance(1ms);
      const Result<OutboxCounts> taken = co_await other.deliver_due();
      EXPECT_TRUE(taken && taken->sent == 0 && transport_.messages.empty());
      if (!is_kept) co_return;
    }
  }

 private:
  asio::awaitable<bool> was_renewed() {
    const auto give_up_at = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < give_up_at) {
      const std::string left = value("select lease_until - " + now() + " from edged.mails");
      if (left > "00:00:00.08") co_return true;
      asio::steady_timer pause(co_await asio::this_coro::executor, 5ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
    co_return false;
  }
};

TEST_F(OutboxLeaseTest, IsKeptWhileTheUpstreamIsAsked) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  upstream_says(Seats{2, std::nullopt});
  wait_for_answer_ = [this] { return outlast_the_lease(); };
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(questions_.size(), 1U);
  EXPECT_EQ(transport_.messages.size(), 1U);
  EXPECT_EQ(outcome(id), "sent//1");
}

TEST_F(OutboxLeaseTest, IsKeptWhileTheTransportSends) {
  const std::string id = add_mail();
  transport_.wait = [this] { return outlast_the_lease(); };
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(transport_.attempts.size(), 1U);
  EXPECT_EQ(outcome(id), "sent//1");
}

TEST_F(OutboxUpstreamTest, MailThatWaitedForALeaseMayHaveBeenSent) {
  add_mail();
  set_old_state(2, "null");
  upstream_says(Seats{2, std::nullopt});
  while_asked_ = [this] { clock_.advance(30s); };
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_THAT(transport_.attempts, ElementsAre(Attempt::kRepeated));
}

TEST_F(OutboxUpstreamTest, MailsInTimeGoFirst) {
  const std::string late = add_mail();
  set_old_state(2, "null");
  const std::string fresh = add_mail();
  upstream_says(Seats{2, std::nullopt});
  while_asked_ = [this, fresh] { EXPECT_EQ(outcome(fresh), "sent//1"); };
  EXPECT_EQ(deliver().sent, 2);
  EXPECT_EQ(questions_.size(), 1U);
  EXPECT_EQ(outcome(late), "sent//1");
}

TEST_F(OutboxUpstreamTest, MailThatComesWhileTheUpstreamIsAskedGoesBeforeTheNextLateOne) {
  add_mail();
  add_mail();
  set_old_state(2, "null");
  upstream_says(Seats{2, std::nullopt});
  while_asked_ = [this] { add_mail(); };
  EXPECT_EQ(deliver().sent, 3);
  std::string order;
  for (const Message& message : transport_.messages) {
    order += value("select right(notification_id, 1) from edged.mails where notification_id = '" +
                   message.message_id.substr(0, message.message_id.find('@')) + "'");
  }
  EXPECT_EQ(order, "132");
}

}  // namespace
}  // namespace edged::mail
