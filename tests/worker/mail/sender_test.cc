// SPDX-License-Identifier: Apache-2.0
// Letters through a real queue and a scripted transport, and what is left of them in PostgreSQL.
#include "worker/mail/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/mail/sender_fixture.h"
#include "worker/mail/unsubscribe.h"

namespace edged::mail {
namespace {

using ::testing::HasSubstr;

TEST_F(SenderTest, AMailSentFromSqlArrivesAndIsRecorded) {
  send(R"({"key":"a","to":"x@b.example","subject":"Hello","text":"T"})");
  deliver();
  ASSERT_EQ(transport_.messages.size(), 1U);
  EXPECT_EQ(transport_.messages[0].message_id, "a@example.org");
  EXPECT_EQ(transport_.messages[0].subject, "Hello");
  EXPECT_EQ(events(), "a accepted 250 ok");
  EXPECT_EQ(value("select transport || provider_id from edged.mail_events"), "scriptedid-1");
  EXPECT_EQ(left(), "0");
}

// However many mails there are: a time series each for what became of them.
TEST_F(SenderTest, LinksToUnsubscribeFollowTheSecret) {
  std::string secret = "first";
  SenderOptions options;
  options.identity = {"F <f@example.org>", "https://example.org"};
  options.unsubscribe_secret = [&secret] { return secret; };
  sender_.emplace(io_.get_executor(), *pool_, transport_, clock_, metrics_, options);
  for (const char* now : {"first", "second", ""}) {
    secret = now;
    send(R"({"to":"a@example.org","subject":"S","text":"T"})");
    deliver();
  }
  ASSERT_EQ(transport_.messages.size(), 3u);
  const auto link = [](const char* key) {
    return unsubscribe_link("https://example.org", key, "a@example.org");
  };
  EXPECT_THAT(transport_.messages[0].text, HasSubstr(link("first")));
  EXPECT_THAT(transport_.messages[1].text, HasSubstr(link("second")));
  EXPECT_EQ(transport_.messages[2].text, "T");
}

TEST_F(SenderTest, FiguresHaveOneSampleEach) {
  for (const char* key : {"a", "b", "c"}) {
    send(std::string(R"({"key":")") + key + R"(","to":"x@b.example","text":"T"})");
  }
  deliver();
  const std::string page = metrics_.render();
  const std::string sample = "edged_queued_mails_total{result=\"sent\"}";
  EXPECT_THAT(page, HasSubstr(sample + " 3\n"));
  EXPECT_EQ(page.find(sample), page.rfind(sample));
}

// Nothing is wrong with the mail: it waits until the setting is mended, however often it was tried.
TEST_F(SenderTest, ASettingThatIsWrongBuriesNoMail) {
  send(R"({"key":"a","to":"x@b.example","text":"T"})");
  for (int i = 0; i < 3; ++i) {
    cluster_.query(
        database_,
        "with due as (delete from edged.queue_delayed returning *) insert into "
        "edged.queue_ready (queue_id, message_id, attempts) select queue_id, message_id, "
        "attempts from due; update edged.queue_ready set attempts = 19");
    transport_.script.push_back({Outcome::kMisconfigured, "535 5.7.8 bad login", {}, {}, {}});
    deliver();
    EXPECT_EQ(left(), "1");
    EXPECT_EQ(value("select attempts from edged.queue_delayed"), "19");
  }
  EXPECT_EQ(dead(), "");
}

TEST_F(SenderTest, AKeyThatWasAcceptedIsNotSentAgain) {
  send(R"({"key":"a","to":"x@b.example","text":"T"})");
  deliver();
  send(R"({"key":"a","to":"x@b.example","text":"T"})");
  deliver();
  EXPECT_EQ(transport_.messages.size(), 1U);
  EXPECT_THAT(events(), HasSubstr("a dropped a mail with this key was accepted before"));
}

TEST_F(SenderTest, BrokenBodiesAreBuriedAndHoldNothingUp) {
  for (const char* body : {"[]", "7", "{}", R"({"to":7,"text":"x"})"}) send(body);
  send(R"({"key":"good","to":"x@b.example","text":"T"})");
  send(R"({"key":"nowhere","to":"nobody","text":"T"})");
  deliver();
  EXPECT_EQ(transport_.messages.size(), 1U);
  EXPECT_EQ(value("select count(*) from edged.queue_dead"), "5");
  EXPECT_THAT(dead(), HasSubstr("not a JSON object"));
  EXPECT_THAT(dead(), HasSubstr("could not use the recipient"));
  EXPECT_EQ(left(), "0");
}

TEST_F(SenderTest, ABadAddressIsSuppressedAndGetsNoMore) {
  transport_.script.push_back({Outcome::kAddressBad, "550 5.1.1 No such user", {}, {}, {}});
  send(R"({"key":"a","to":"X@b.example","text":"T"})");
  deliver();
  EXPECT_EQ(value("select address || ' ' || reason from edged.mail_suppressions"),
            "x@b.example 550 5.1.1 No such user");
  send(R"({"key":"b","to":"x@B.example","text":"T"})");
  deliver();
  EXPECT_EQ(transport_.messages.size(), 1U);
  EXPECT_THAT(events(), HasSubstr("b suppressed 550 5.1.1 No such user"));
}

TEST_F(SenderTest, ATemporaryFailureWaits) {
  transport_.script.push_back({Outcome::kTemporary, "450 later", {}, {}, {}});
  send(R"({"key":"a","to":"x@b.example","text":"T"})");
  deliver();
  EXPECT_EQ(events(), "a retry 450 later");
  EXPECT_EQ(value("select due_at > now() from edged.queue_delayed"), "t");
}

// What PostgreSQL refuses is tried again with growing pauses, as a transport's failures are.
TEST_F(SenderTest, AFailedLookBeforeSendingWaits) {
  kind_.failure = Status(Code::kDenied, "no right to look");
  send(R"({"to":"a@b.example","key":"k1","kind":"k"})");
  deliver();
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_EQ(value("select attempts || ' ' || (due_at > now() + interval '500 ms')"
                  " from edged.queue_delayed"),
            "1 true");
  EXPECT_THAT(events(), HasSubstr("k1 retry no right to look"));
}

TEST_F(SenderTest, WhatIsLateExpires) {
  send(R"({"key":"a","to":"x@b.example","text":"T","valid_until":"2020-01-01T00:00:00Z"})");
  deliver();
  EXPECT_TRUE(transport_.messages.empty());
  EXPECT_THAT(events(), HasSubstr("a expired"));
}

TEST_F(SenderTest, AKindIsAskedOnceForTheWholeBatch) {
  for (int i = 0; i < 40; ++i) {
    send(R"({"key":"k)" + std::to_string(i) + R"(","kind":"k","to":"x@b.example"})");
  }
  deliver();
  EXPECT_EQ(kind_.rechecks, 1);
  EXPECT_EQ(transport_.messages.size(), 40U);
  EXPECT_GT(transport_.most_at_once, 1);
  EXPECT_LE(transport_.most_at_once, 4);
}

TEST_F(SenderTest, TheKindsJudgementIsFollowed) {
  kind_.judgement = {Judgement::Kind::kDrop, "closed again"};
  send(R"({"key":"a","kind":"k","to":"x@b.example"})");
  deliver();
  EXPECT_EQ(events(), "a dropped closed again");
  kind_.judgement = {Judgement::Kind::kAskFirst, ""};
  send(R"({"key":"b","kind":"k","to":"x@b.example"})");
  deliver();
  EXPECT_EQ(kind_.asks, 1);
  EXPECT_EQ(transport_.messages.size(), 1U);
}

TEST_F(SenderTest, AnUnknownKindWaitsForAWorkerThatKnowsIt) {
  send(R"({"key":"a","kind":"newer","to":"x@b.example"})");
  deliver();
  EXPECT_THAT(events(), HasSubstr("a retry this worker knows no mails of kind newer"));
  EXPECT_EQ(left(), "1");
}

}  // namespace
}  // namespace edged::mail
