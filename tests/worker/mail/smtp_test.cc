// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/smtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/mail/scripted_smtp_server.h"
#include "worker/mail/smtp_session.h"

namespace edged::mail {
namespace {

using Outcome = Delivery::Outcome;
using Script = ScriptedSmtpServer::Script;
using ::testing::HasSubstr;
using ::testing::Not;

Message message(const std::string& content = "Subject: Seat open\r\n\r\nA seat.\r\n") {
  return {"id@example.org", "notify@example.org", "student@example.edu", content};
}

SmtpOptions options(const ScriptedSmtpServer& server) {
  SmtpOptions options;
  options.url = server.url();
  options.requires_tls = false;
  return options;
}

void with_login(SmtpOptions& options) {
  options.user = "postman";
  options.password = [] { return Result<std::string>("open sesame"); };
}

TEST(SmtpTest, SendsAndUsesTheConnectionAgain) {
  ScriptedSmtpServer server({});
  SmtpTransport transport(options(server));
  for (int i = 0; i < 3; ++i) {
    const Delivery delivery = transport.send(message(), false);
    EXPECT_EQ(delivery.outcome, Outcome::kAccepted) << delivery.detail;
    EXPECT_EQ(delivery.detail, "250 2.0.0 Queued as 42");
    EXPECT_EQ(delivery.conversation, "");
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.accepted().size(), 3u);
}

TEST(SmtpTest, StuffsDotsAndSendsNoBareLineFeed) {
  ScriptedSmtpServer server({});
  SmtpTransport transport(options(server));
  EXPECT_EQ(transport.send(message(".a\r\n..b\r\n.\r\nc\nd\re\n.f"), false).outcome,
            Outcome::kAccepted);
  ASSERT_EQ(server.accepted().size(), 1u);
  EXPECT_EQ(server.accepted()[0], "..a\r\n...b\r\n..\r\nc\r\nd\r\ne\r\n..f\r\n.\r\n");
}

TEST(SmtpTest, ClassesWhatHappensAtEachStep) {
  const struct {
    Script script;
    Outcome outcome;
  } cases[] = {
      {{{"greeting", "CUT"}}, Outcome::kTemporary},
      {{{"greeting", "STALL"}}, Outcome::kTemporary},
      {{{"greeting", "421 4.3.2 Too busy"}}, Outcome::kTemporary},
      {{{"greeting", "554 5.7.1 Your address is blocked"}}, Outcome::kMisconfigured},
      {{{"EHLO", "CUT"}}, Outcome::kTemporary},
      {{{"AUTH", "CUT"}}, Outcome::kTemporary},
      {{{"AUTH2", "535 5.7.8 Wrong password"}}, Outcome::kMisconfigured},
      {{{"AUTH2", "454 4.7.0 Not now"}}, Outcome::kTemporary},
      {{{"MAIL", "CUT"}}, Outcome::kTemporary},
      {{{"MAIL", "530 5.7.0 Log in first"}}, Outcome::kMisconfigured},
      {{{"MAIL", "552 5.3.4 Too large"}}, Outcome::kMessageBad},
      {{{"RCPT", "CUT"}}, Outcome::kTemporary},
      {{{"RCPT", "STALL"}}, Outcome::kTemporary},
      {{{"RCPT", "450 4.2.1 Greylisted"}}, Outcome::kTemporary},
      {{{"RCPT", "550-5.1.1 No\r\n550 5.1.1 such user"}}, Outcome::kAddressBad},
      {{{"RCPT", "554 5.7.1 Relay access denied"}}, Outcome::kMisconfigured},
      {{{"RCPT", "550 5.7.1 We do not like you"}}, Outcome::kMessageBad},
      {{{"RCPT", "550 No such user"}}, Outcome::kAddressBad},
      {{{"RCPT", "550 Blocked as spam"}}, Outcome::kMessageBad},
      {{{"DATA", "CUT"}}, Outcome::kTemporary},
      {{{"DATA", "451 4.3.0 Not now"}}, Outcome::kTemporary},
      {{{".", "CUT"}}, Outcome::kUnknown},
      {{{".", "STALL"}}, Outcome::kUnknown},
      {{{".", "451 4.3.0 Queue is full"}}, Outcome::kTemporary},
      {{{".", "554 5.6.0 Not a mail"}}, Outcome::kMessageBad},
      {{{"close", "x"}}, Outcome::kAccepted},
  };
  for (const auto& [script, outcome] : cases) {
    SCOPED_TRACE(script.begin()->first + ": " + script.begin()->second);
    ScriptedSmtpServer server(script);
    SmtpOptions given = options(server);
    with_login(given);
    const bool stalls = script.begin()->second == "STALL";
    if (stalls) given.reply_timeout = given.accept_timeout = std::chrono::seconds(1);
    if (stalls) given.connect_timeout = std::chrono::seconds(1);
    SmtpTransport transport(given);
    const Delivery delivery = transport.send(message(), true);
    EXPECT_EQ(to_string(delivery.outcome), to_string(outcome)) << delivery.conversation;
    EXPECT_FALSE(delivery.detail.empty());
    EXPECT_THAT(delivery.conversation, Not(HasSubstr("sesame")));
    EXPECT_THAT(delivery.conversation, Not(HasSubstr("AHBvc3RtYW4A")));  // "\0postman\0" in base64
  }
}

TEST(SmtpTest, AConnectionThatTheServerClosedIsMadeAgain) {
  const Script closes{{"close", "x"}};
  ScriptedSmtpServer server(closes);
  SmtpTransport transport(options(server));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(transport.send(message(), false).outcome, Outcome::kAccepted);
  }
  EXPECT_EQ(server.connections(), 3);
}

TEST(SmtpTest, DoesNotSendWithoutRequiredTls) {
  ScriptedSmtpServer server({});
  SmtpOptions given = options(server);
  given.requires_tls = true;
  with_login(given);
  SmtpTransport transport(given);
  const Delivery delivery = transport.send(message(), true);
  EXPECT_EQ(delivery.outcome, Outcome::kMisconfigured) << delivery.conversation;
  EXPECT_THAT(delivery.detail, HasSubstr("STARTTLS"));
  for (const std::string& line : server.lines()) {
    EXPECT_FALSE(line.starts_with("AUTH") || line.starts_with("MAIL")) << line;
  }
}

TEST(SmtpTest, AServerThatIsAwayIsTemporary) {
  std::string url;
  {
    const ScriptedSmtpServer gone({});
    url = gone.url();
  }
  SmtpOptions given;
  given.url = url;
  SmtpTransport transport(given);
  EXPECT_EQ(transport.send(message(), false).outcome, Outcome::kTemporary);
}

TEST(SmtpTest, AddressesThatCouldBreakACommandAreRefused) {
  ScriptedSmtpServer server({});
  SmtpTransport transport(options(server));
  for (const std::string address : {"", "a@b>\r\nDATA", "j\xc3\xbcrgen@example.org", "a b@c"}) {
    Message bad = message();
    bad.recipient = address;
    EXPECT_EQ(transport.send(bad, false).outcome, Outcome::kMessageBad) << address;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(SmtpTest, KnowsLoopback) {
  for (const char* url : {"smtp://localhost", "smtp://127.0.0.1:25", "smtps://[::1]:465/me"}) {
    EXPECT_TRUE(is_loopback_url(url)) << url;
  }
  for (const char* url : {"smtp://127.example.org", "smtp://mail", "smtp://localhost.example"}) {
    EXPECT_FALSE(is_loopback_url(url)) << url;
  }
}

}  // namespace
}  // namespace edged::mail
