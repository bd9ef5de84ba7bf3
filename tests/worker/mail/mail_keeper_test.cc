// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/mail_keeper.h"

#include <gtest/gtest.h>

#include "tests/worker/mail/sender_fixture.h"

namespace edged::mail {
namespace {

class MailKeeperTest : public SenderTest {
 protected:
  void event(const std::string& key, const std::string& age) {
    value("select edged.mail_note('" + key +
          "', 'x@b.example', 'accepted', '', now() - interval '" + age + "')");
  }
  std::string keys() {
    return value("select coalesce(string_agg(key, ',' order by id), '') from edged.mail_events");
  }
  std::int64_t deletes(MailKeeper& keeper) {
    const auto deleted = run_awaitable(io_, keeper.delete_old_events());
    EXPECT_TRUE(deleted) << deleted.error().to_string();
    return deleted ? *deleted : -1;
  }
  MailKeeper keeper(const Clock& clock, int batch = 1000) {
    MailKeeperOptions options;
    options.batch = batch;
    options.batch_pause = std::chrono::milliseconds(1);
    return MailKeeper(io_.get_executor(), *pool_, clock, options, metrics_);
  }
};

TEST_F(MailKeeperTest, NinetyDaysAreKept) {
  event("old", "90 days 1 minute");
  event("young", "89 days 23 hours");
  MailKeeper keeper = this->keeper(clock_);
  EXPECT_EQ(deletes(keeper), 1);
  EXPECT_EQ(keys(), "young");
  EXPECT_EQ(deletes(keeper), 0);
}

TEST_F(MailKeeperTest, MailsThatAnApplicationKeepsAreLeftAlone) {
  event("notification", "91 days");
  event("other", "91 days");
  value(
      "insert into edged.notifications values ('notification', 1, gen_random_uuid(), "
      "gen_random_uuid(),"
      " 'seat_available', '1', '2', 'x@b.example', 7, null, now(), now())");
  MailKeeper keeper = this->keeper(clock_);
  EXPECT_EQ(deletes(keeper), 1);
  EXPECT_EQ(keys(), "notification");
}

TEST_F(MailKeeperTest, AllOfThemAreDeletedInBatches) {
  value(
      "insert into edged.mail_events (key, recipient, at, event)"
      " select 'k' || i, 'x', now() - interval '100 days' - interval '1 s' * (i % 3), 'accepted'"
      " from generate_series(1, 1000) i");
  value(
      "insert into edged.notifications select 'k' || i, 1, gen_random_uuid(), gen_random_uuid(),"
      " 'seat_available', '1', '2', 'x', 7, null, now(), now() from generate_series(1, 500) i");
  MailKeeper keeper = this->keeper(clock_, 7);
  EXPECT_EQ(deletes(keeper), 500);
  EXPECT_EQ(value("select count(*) from edged.mail_events"), "500");
}

TEST_F(MailKeeperTest, AClockThatIsAheadDeletesNothingEarly) {
  event("young", "1 day");
  const test::ManualClock ahead(clock_.wall_now() + std::chrono::hours(24 * 365));
  MailKeeper keeper = this->keeper(ahead);
  EXPECT_EQ(deletes(keeper), 0);
  EXPECT_EQ(keys(), "young");
}

}  // namespace
}  // namespace edged::mail
