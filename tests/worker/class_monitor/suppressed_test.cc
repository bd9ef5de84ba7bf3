// SPDX-License-Identifier: Apache-2.0
// Addresses that get no mails any more: refused for good, unsubscribed, or named by an operator.
#include "tests/worker/class_monitor/outbox_fixture.h"
#include "worker/mail/suppressions.h"

namespace edged::mail {
namespace {

class SuppressedTest : public OutboxDeliveryTest {
 protected:
  bool suppress(std::string address) {
    const auto added = run_awaitable(
        io_, list_.add(std::move(address), SuppressionSource::kUnsubscribe, "the reader asked"));
    EXPECT_TRUE(added) << added.error().to_string();
    return added && *added;
  }

  Suppressions list_{*pool_, clock_};
};

TEST_F(SuppressedTest, AMailThatWaitsIsNotSentAndSaysWhy) {
  const std::string id = add_mail();
  EXPECT_TRUE(suppress(" Student@EXAMPLE.edu "));
  EXPECT_FALSE(suppress("student@example.edu"));
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.dropped, 1);
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(outcome(id), "dropped/the address is suppressed: the reader asked/1");
}

TEST_F(SuppressedTest, AnotherAddressGetsItsMail) {
  suppress("other@example.edu");
  add_mail();
  EXPECT_EQ(deliver().sent, 1);
}

TEST_F(SuppressedTest, AnEndedSuppressionLetsMailsThrough) {
  suppress("student@example.edu");
  const auto removed = run_awaitable(io_, list_.remove("STUDENT@example.edu"));
  ASSERT_TRUE(removed);
  EXPECT_TRUE(*removed);
  const auto again = run_awaitable(io_, list_.remove("student@example.edu"));
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
  add_mail();
  EXPECT_EQ(deliver().sent, 1);
}

TEST_F(SuppressedTest, AnAddressThatItsServerRefusesIsSuppressed) {
  transport_.refusals.push_back(
      {Delivery::Outcome::kAddressBad, "550 5.1.1 No such user", {}, {}, {}});
  add_mail();
  EXPECT_EQ(deliver().dead, 1);
  const auto listed = run_awaitable(io_, list_.list());
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().address, "student@example.edu");
  EXPECT_EQ(listed->front().source, "bounce");
  EXPECT_EQ(listed->front().reason, "550 5.1.1 No such user");
  EXPECT_EQ(listed->front().since, format_rfc3339(clock_.wall_now()));
  const std::string next = add_mail();
  deliver();
  EXPECT_THAT(outcome(next), HasSubstr("dropped/the address is suppressed: 550 5.1.1"));
}

TEST_F(SuppressedTest, ATemporaryRefusalSuppressesNothing) {
  transport_.refusals.push_back({Delivery::Outcome::kTemporary, "450 4.2.1 Later", {}, {}, {}});
  transport_.refusals.push_back({Delivery::Outcome::kMessageBad, "552 5.3.4 Too big", {}, {}, {}});
  add_mail();
  deliver();
  clock_.advance(1h);
  deliver();
  const auto listed = run_awaitable(io_, list_.list());
  ASSERT_TRUE(listed);
  EXPECT_TRUE(listed->empty());
}

}  // namespace
}  // namespace edged::mail
