// SPDX-License-Identifier: Apache-2.0
// Letters that go together in a request to an idempotent provider: what is stored before, what is
// repeated afterwards, by whom, and what a refusal means.
#include "worker/mail/group_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "tests/worker/mail/sender_fixture.h"
#include "worker/mail/mail_keeper.h"

namespace edged::mail {
namespace {

using ::testing::HasSubstr;

class GroupSenderTest : public SenderTest {
 protected:
  GroupSenderTest() {
    transport_.idempotent = true;
    transport_.batch_max = 100;
  }

  void send_keys(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
      std::string body(R"({"to":"x@b.example","text":"T","key":")");
      send(body.append(key).append("\"}"));
    }
  }
  // What waits for its next attempt is due now.
  void deliver_again() {
    value("update edged.queue_delayed set due_at = now() - interval '1 second'");
    deliver();
  }
  // As a worker does that is killed before it makes the request.
  void store(const std::string& id, const std::string& keys, const std::string& age = "0 s") {
    value("insert into edged.mail_groups values ('" + id + "', 'frozen', '{" + keys +
          "}', now() - interval '" + age + "')");
  }
  std::string groups() { return value("select count(*) from edged.mail_groups"); }
  std::string ids() {
    return value(
        "select string_agg(key || ' ' || event || coalesce(' ' || provider_id, ''), '; ' order by "
        "key, id)"
        " from edged.mail_events");
  }

  const std::string id_ = "8a6e0804-2bd0-4672-b79d-d97027f9071a";
};

TEST_F(GroupSenderTest, LettersOfABatchGoInOneRequest) {
  send_keys({"a", "b{}|", "c"});
  deliver();
  ASSERT_EQ(transport_.parcels.size(), 1U);
  const Parcel& parcel = transport_.parcels[0];
  EXPECT_EQ(parcel.mails(), 3U);
  EXPECT_EQ(parcel.key.size(), id_.size());
  EXPECT_EQ(parcel.frozen, "a@example.org\nb{}|@example.org\nc@example.org\n");
  EXPECT_EQ(ids(), "a accepted id-1; b{}| accepted id-2; c accepted id-3");
  EXPECT_EQ(left(), "0");
}

TEST_F(GroupSenderTest, NoRequestIsLargerThanTheProviderTakes) {
  transport_.batch_max = 3;
  send_keys({"a", "b", "c", "d", "e", "f", "g"});
  deliver();
  std::vector<std::size_t> sizes;
  for (const Parcel& parcel : transport_.parcels) sizes.push_back(parcel.mails());
  EXPECT_THAT(sizes, ::testing::UnorderedElementsAre(3U, 3U, 1U));
  EXPECT_THAT(ids(), HasSubstr("f accepted id-3; g accepted id-1"));
}

TEST_F(GroupSenderTest, TheRequestIsStoredBeforeItIsMade) {
  std::string stored;
  transport_.judge = [&](const Parcel& parcel) {
    stored =
        value("select body || array_to_string(keys, ',') from edged.mail_groups where key = '" +
              parcel.key + "'");
    return Outcome::kAccepted;
  };
  send_keys({"a", "b"});
  deliver();
  EXPECT_EQ(stored, "a@example.org\nb@example.org\na,b");
}

TEST_F(GroupSenderTest, AfterALostAnswerTheSameRequestIsMadeAgain) {
  transport_.script.push_back({Outcome::kUnknown, "connection lost", {}, {}, {}});
  send_keys({"a", "b"});
  deliver();
  EXPECT_EQ(ids(), "a retry; b retry");
  EXPECT_EQ(value("select count(distinct due_at) from edged.queue_delayed"), "1");
  send_keys({"new"});
  deliver_again();
  ASSERT_EQ(transport_.parcels.size(), 3U);
  std::size_t repeated = 1;
  if (transport_.attempts[2] == Attempt::kRepeated) repeated = 2;
  EXPECT_EQ(transport_.attempts[repeated], Attempt::kRepeated);
  EXPECT_EQ(transport_.parcels[repeated].key, transport_.parcels[0].key);
  EXPECT_EQ(transport_.parcels[repeated].frozen, transport_.parcels[0].frozen);
  EXPECT_EQ(transport_.parcels[repeated].mails(), 2U);
  EXPECT_EQ(transport_.parcels[3 - repeated].frozen, "new@example.org\n");
  EXPECT_EQ(ids(), "a retry; a accepted id-1; b retry; b accepted id-2; new accepted id-1");
}

TEST_F(GroupSenderTest, ARequestOfAWorkerThatWasKilledIsMadeByAnother) {
  store(id_, "z,a,b");  // z has ended, or somebody else holds it
  send_keys({"a", "b"});
  deliver();
  ASSERT_EQ(transport_.parcels.size(), 1U);
  EXPECT_EQ(transport_.parcels[0].key, id_);
  EXPECT_EQ(transport_.parcels[0].frozen, "frozen");
  EXPECT_EQ(transport_.parcels[0].mails(), 3U);
  EXPECT_EQ(transport_.attempts[0], Attempt::kRepeated);
  EXPECT_EQ(ids(), "a accepted id-2; b accepted id-3");
}

TEST_F(GroupSenderTest, TwoWorkersThatHoldPartsMakeTheSameRequest) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  store(id_, "a,b,c,d");
  send_keys({"a", "b", "c", "d"});
  queue::ConsumerOptions half = sender_->consumer_options();
  half.max_batch_size = 2;
  const auto executor = io_.get_executor();
  queue::Consumer one(executor, *pool_, clock_, metrics_, half, sender_->handler());
  queue::Consumer other(executor, *pool_, clock_, metrics_, half, sender_->handler());
  const auto both = [](queue::Consumer* first, queue::Consumer* second) -> asio::awaitable<bool> {
    const auto [left, right] = co_await (first->drain_due() && second->drain_due());
    co_return left.ok() && right.ok();
  };
  EXPECT_TRUE(run_awaitable(io_, both(&one, &other)));
  EXPECT_EQ(transport_.parcels.size(), 2U);
  for (const Parcel& parcel : transport_.parcels) EXPECT_EQ(parcel.key, id_);
  EXPECT_EQ(ids(), "a accepted id-1; b accepted id-2; c accepted id-3; d accepted id-4");
}

TEST_F(GroupSenderTest, ARefusedRequestIsDissolvedAndItsLettersSentWithoutTheBadOne) {
  std::vector<std::string> taken;
  transport_.judge = [&](const Parcel& parcel) {
    if (parcel.frozen.find("bad") != std::string::npos) return Outcome::kMessageBad;
    taken.push_back(parcel.frozen);
    return Outcome::kAccepted;
  };
  send_keys({"a", "b", "bad", "c", "d"});
  deliver();
  EXPECT_EQ(taken.size(), 2U);  // a and b, c and d
  EXPECT_THAT(ids(), HasSubstr("bad dead"));
  for (const char* key : {"a", "b", "c", "d"}) {
    EXPECT_THAT(ids(), HasSubstr(std::string(key) + " accepted"));
  }
  EXPECT_EQ(value("select count(*) from edged.mail_groups where 'bad' = any (keys)"), "1");
  EXPECT_EQ(left(), "0");
}

TEST_F(GroupSenderTest, ABadAddressAmongManyIsSuppressed) {
  transport_.judge = [](const Parcel& parcel) {
    if (parcel.frozen.find("bad") == std::string::npos) return Outcome::kAccepted;
    return parcel.mails() == 1 ? Outcome::kAddressBad : Outcome::kMessageBad;
  };
  send_keys({"a"});
  send(R"({"to":"gone@b.example","text":"T","key":"bad"})");
  deliver();
  EXPECT_EQ(ids(), "a accepted id-1; bad dead");
  EXPECT_EQ(value("select address from edged.mail_suppressions"), "gone@b.example");
}

TEST_F(GroupSenderTest, ARequestOlderThanTheProvidersMemoryIsNotRepeated) {
  store(id_, "a", "23 h 1 min");
  send_keys({"a"});
  deliver();
  ASSERT_EQ(transport_.parcels.size(), 1U);
  EXPECT_NE(transport_.parcels[0].key, id_);
  EXPECT_EQ(ids(), "a accepted id-1");
}

TEST_F(GroupSenderTest, AKeyThatIsQueuedTwiceIsSentOnce) {
  send_keys({"a", "a", "b"});
  deliver();
  ASSERT_EQ(transport_.parcels.size(), 1U);
  EXPECT_EQ(transport_.parcels[0].mails(), 2U);
  EXPECT_EQ(ids(), "a accepted id-1; a accepted id-1; b accepted id-2");
}

TEST_F(GroupSenderTest, WhatCannotBeRenderedHoldsNothingUp) {
  send_keys({"a"});
  send(R"({"to":"nobody","text":"T","key":"b"})");
  send_keys({"c"});
  deliver();
  EXPECT_EQ(ids(), "a accepted id-1; b dead; c accepted id-2");
}

TEST_F(GroupSenderTest, ALetterThatWasAskedForGoesByItself) {
  kind_.judgement = {Judgement::Kind::kAskFirst, ""};
  send(R"({"key":"late","kind":"k","to":"x@b.example"})");
  send_keys({"a", "b"});
  deliver();
  EXPECT_EQ(kind_.asks, 1);
  EXPECT_EQ(transport_.parcels.size(), 2U);
  EXPECT_EQ(ids(), "a accepted id-1; b accepted id-2; late accepted id-1");
}

class MailGroupsTest : public GroupSenderTest {
 protected:
  bool stores(const std::vector<std::string>& keys) {
    std::vector<std::string> copy = keys;
    const auto id = run_awaitable(io_, groups_.store("body", std::move(copy)));
    EXPECT_TRUE(id) << id.error().to_string();
    return id && id->has_value();
  }
  MailGroups groups_{*pool_, clock_};
};

// A worker that slept past its leases, and comes back with letters that others have sent.
TEST_F(MailGroupsTest, ALetterIsInOneRequest) {
  EXPECT_TRUE(stores({"a", "b"}));
  EXPECT_FALSE(stores({"b", "c"}));
  EXPECT_TRUE(stores({"c"}));
  EXPECT_EQ(groups(), "2");
}

TEST_F(MailGroupsTest, WhatWasAcceptedIsNotSentAgain) {
  send_keys({"a"});
  deliver();
  value("delete from edged.mail_groups");
  EXPECT_FALSE(stores({"a", "b"}));
  EXPECT_TRUE(stores({"b"}));
}

TEST_F(MailGroupsTest, RequestsAreDeletedWhenTheirLettersHaveEndedOrAfterADay) {
  store(id_, "a,b");
  store("8a6e0804-2bd0-4672-b79d-d97027f9071b", "c", "24 h 1 min");
  MailKeeper keeper(io_.get_executor(), *pool_, clock_, {}, metrics_);
  const auto first = run_awaitable(io_, keeper.delete_old_requests());
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, 1);
  value("select edged.mail_note('a', 'x', 'accepted', '', now())");
  value("select edged.mail_note('b', 'x', 'retry', '', now())");
  const auto second = run_awaitable(io_, keeper.delete_old_requests());
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, 0);
  value("select edged.mail_note('b', 'x', 'suppressed', '', now())");
  const auto third = run_awaitable(io_, keeper.delete_old_requests());
  ASSERT_TRUE(third);
  EXPECT_EQ(*third, 1);
}

}  // namespace
}  // namespace edged::mail
