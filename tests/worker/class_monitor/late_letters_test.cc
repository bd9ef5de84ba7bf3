// SPDX-License-Identifier: Apache-2.0
// Late mails whose state is old, for which the upstream is asked.
#include "tests/worker/class_monitor/seat_letters_fixture.h"

namespace edged::class_monitor {
namespace {

constexpr const char* kState =
    "select seats_available || '/' || coalesce(non_reserved_seats::text, '') from "
    "public.class_states";

class LateLettersTest : public SeatLettersTest {
 protected:
  void set_old_state(int seats, const std::string& non_reserved) {
    query("delete from public.class_states; delete from edged.section_checks");
    set_state(seats, non_reserved, now());
    query("insert into edged.section_checks values ('12431', nextval('edged.run_epoch'), " + now() +
          ")");
    clock_.advance(31min);
  }

  asio::awaitable<void> until_sent(std::size_t count) {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    for (int i = 0; i < 1000 && transport_.messages.size() < count; ++i) {
      pause.expires_after(5ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }
};

TEST_F(LateLettersTest, OpenSectionIsMailedAndItsStateIsLeftToRuns) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  upstream_says(Seats{4, std::nullopt});
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_EQ(outcome(id), "sent/");
  EXPECT_THAT(questions_, ElementsAre("12431@2261"));
  EXPECT_EQ(value(kState), "2/");
  EXPECT_EQ(claims(), "1");
}

TEST_F(LateLettersTest, ClosingIsStoredAndEveryWatcherMayBeToldAgain) {
  add_mail();
  EXPECT_EQ(deliver().sent, 1U);  // in time
  const std::string late = add_mail();
  query(
      "insert into public.notifications_sent (class_watch_id, notification_type, expires_at) "
      "select class_watch_id, 'instructor_assigned', expires_at from public.notifications_sent");
  set_old_state(2, "null");
  const std::string epoch = value("select epoch from edged.section_checks");
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(outcome(late), "dropped/closed again before sending");
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

TEST_F(LateLettersTest, StoresTheClosingAsItWasSeen) {
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
    EXPECT_EQ(deliver().dropped, 1U);
    EXPECT_EQ(outcome(id), "dropped/closed again before sending");
    EXPECT_EQ(value(kState), test.stored);
    EXPECT_EQ(claims(), "0");
  }
}

TEST_F(LateLettersTest, ClosingForOneKindOfWatchLeavesTheClaimsOfTheOther) {
  add_mail();
  let_watches_count_reserved_seats();
  EXPECT_EQ(deliver().sent, 1U);  // in time
  add_mail();
  set_old_state(5, "3");
  upstream_says(Seats{4, 0});
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(value("select w.include_reserved_seats from public.notifications_sent n join "
                  "public.class_watches w on w.id = n.class_watch_id"),
            "t");
  let_watches_count_reserved_seats();
  add_mail();
  let_watches_count_reserved_seats();
  set_old_state(5, "0");
  upstream_says(Seats{0, 0});
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(value(kState), "0/0");
  EXPECT_EQ(claims(), "0");
}

TEST_F(LateLettersTest, ClosingWithoutAStateReleasesTheClaim) {
  add_mail();
  clock_.advance(31min);
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(claims(), "0");
  // One of another term is of another course.
  add_mail();
  set_old_state(3, "null");
  query("update public.class_states set term = '2264'");
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(value(kState), "3/");
  EXPECT_EQ(claims(), "0");
}

TEST_F(LateLettersTest, RunThatBeganLaterOverrulesTheAnswer) {
  const struct {
    int seats;
    Seats seen;
    const char* outcome;
  } cases[] = {{5, {0, std::nullopt}, "sent/"},
               {0, {0, std::nullopt}, "dropped/closed again before sending"},
               {0, {3, std::nullopt}, "dropped/closed again before sending"}};
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
class LateLettersRaceTest : public LateLettersTest {
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

TEST_F(LateLettersRaceTest, OlderRunIsOverwritten) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  wait_for_answer_ = [this] { return begin_to_settle("epoch"); };
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending");
  EXPECT_EQ(value(kState), "0/");
  EXPECT_EQ(claims(), "0");
}

// The claims of the run are made in a transaction that the closing's snapshot does not hold.
TEST_F(LateLettersRaceTest, OlderRunsClaimsAreResetToo) {
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
  EXPECT_EQ(deliver().dropped, 1U);
  EXPECT_EQ(outcome(id), "dropped/closed again before sending");
  EXPECT_EQ(value("select count(*) from public.class_watches"), "2");
  EXPECT_EQ(claims(), "0");
}

// The application's own rules are against what was seen.
TEST_F(LateLettersTest, AClosingThatTheDatabaseRefusesEndsNoPass) {
  const std::string id = add_mail(), other = add_mail({.recipient = "b@example.edu"});
  set_old_state(2, "null");
  query("alter table public.class_states add constraint open check (seats_available > 0)");
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().retried, 2U);
  EXPECT_THAT(outcome(id), HasSubstr("pending/"));
  EXPECT_THAT(outcome(other), HasSubstr("pending/"));
}

TEST_F(LateLettersRaceTest, NewerRunStands) {
  const std::string id = add_mail();
  set_old_state(2, "null");
  wait_for_answer_ = [this] {
    return begin_to_settle("nextval('edged.run_epoch'), requested_at = " + now());
  };
  upstream_says(Seats{0, std::nullopt});
  EXPECT_EQ(deliver().sent, 1U);
  EXPECT_EQ(outcome(id), "sent/");
  EXPECT_EQ(value(kState), "7/");
  EXPECT_EQ(claims(), "1");
}

TEST_F(LateLettersTest, SeatsThatAreUnknownSendNothing) {
  for (const bool with_reserved : {false, true}) {
    const std::string id = add_mail();
    if (with_reserved) let_watches_count_reserved_seats();
    set_old_state(5, "3");
    upstream_says(Seats{5, std::nullopt});  // the detail could not be read
    Worker worker(*this);
    EXPECT_EQ(deliver_by(worker).retried, 1U);
    EXPECT_EQ(outcome(id), "pending/it is not known how many seats are open");
    EXPECT_EQ(value(kState), "5/3");
    // It is asked for anew, though not at once.
    questions_.clear();
    clock_.advance(3s);
    EXPECT_EQ(deliver_by(worker).retried, 1U);
    EXPECT_TRUE(questions_.empty());
    clock_.advance(1min);
    EXPECT_EQ(deliver_by(worker).retried, 1U);
    EXPECT_EQ(questions_.size(), 1U);
    query("update edged.queue_delayed set attempts = 19");
    clock_.advance(10min);
    EXPECT_EQ(deliver_by(worker).dead, 1U);
  }
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(claims(), "2");
}

TEST_F(LateLettersTest, WaitsWhileTheUpstreamIsDown) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(add_mail());
  clock_.advance(31min);
  upstream_says(Status(Code::kUnavailable, "circuit open"));
  EXPECT_EQ(deliver().retried, 3U);
  EXPECT_EQ(questions_.size(), 1U);
  for (const std::string& id : ids) EXPECT_THAT(outcome(id), HasSubstr("circuit open"));
  EXPECT_EQ(claims(), "3");
  clock_.advance(1min);
  upstream_says(Seats{3, std::nullopt});
  EXPECT_EQ(deliver().sent, 3U);
}

TEST_F(LateLettersTest, AsksOnceForAllMailsOfASection) {
  upstream_says(Seats{3, 3});
  Worker asking(*this);
  for (int i = 0; i < 25; ++i) add_mail();
  set_old_state(2, "2");
  EXPECT_EQ(deliver_by(asking).sent, 25U);
  EXPECT_EQ(questions_.size(), 1U);
  // As long as a state would be believed.
  for (const auto& [wait, questions] : {std::pair(9min, 1U), std::pair(1min, 2U)}) {
    const std::string id = add_mail();
    query(
        "update edged.notifications set valid_until = valid_until - interval '1 h' where "
        "notification_id = '" +
        id + "'");
    clock_.advance(wait);
    EXPECT_EQ(deliver_by(asking).sent, 1U);
    EXPECT_EQ(questions_.size(), questions);
  }
  // A closing, too: here it is the stored state that tells the others.
  for (int i = 0; i < 25; ++i) add_mail();
  set_old_state(2, "2");
  upstream_says(Seats{0, 0});
  EXPECT_EQ(deliver().dropped, 25U);
  EXPECT_EQ(questions_.size(), 3U);
}

// A mail that is in time does not wait for the answer about a late one.
TEST_F(LateLettersTest, MailsInTimeGoFirst) {
  const std::string late = add_mail();
  set_old_state(2, "null");
  const std::string fresh = add_mail({.recipient = "fresh@example.edu"});
  upstream_says(Seats{2, std::nullopt});
  wait_for_answer_ = [this] { return until_sent(1); };
  EXPECT_EQ(deliver().sent, 2U);
  ASSERT_EQ(transport_.messages.size(), 2U);
  EXPECT_EQ(transport_.messages[0].recipient, "fresh@example.edu");
  EXPECT_EQ(outcome(late), "sent/");
  EXPECT_EQ(outcome(fresh), "sent/");
}

}  // namespace
}  // namespace edged::class_monitor
