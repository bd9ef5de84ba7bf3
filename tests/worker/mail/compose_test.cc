// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/mail/unsubscribe.h"

namespace edged::mail {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const MailIdentity kIdentity{
    "PickMyClass <notify@example.org>", "https://pickmyclass.example", "a secret"};

Letter letter_to(std::string recipient) {
  Letter letter;
  letter.key = "w.seat_available.7";
  letter.recipient = std::move(recipient);
  letter.sent_at = from_unix_ms(1'700'000'000'000);
  return letter;
}

Content sample() {
  return {"Seat open: Übung", "A seat.\n.\nBye", "<html><body><p>A seat.</p></body></html>", {}};
}

TEST(ComposeTest, HasTheHeadersOfAnAutomaticMail) {
  const Result<Message> message = compose(letter_to("a@b.example"), sample(), kIdentity);
  ASSERT_TRUE(message) << message.error().to_string();
  EXPECT_EQ(message->message_id, "w.seat_available.7@example.org");
  EXPECT_EQ(message->sender, "notify@example.org");
  EXPECT_EQ(message->recipient, "a@b.example");
  const std::string& content = message->content;
  EXPECT_THAT(content, HasSubstr("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
  EXPECT_THAT(content, HasSubstr("Message-ID: <w.seat_available.7@example.org>\r\n"));
  EXPECT_THAT(content, HasSubstr("Auto-Submitted: auto-generated\r\n"));
  EXPECT_THAT(content, HasSubstr("Subject: =?UTF-8?B?"));
  EXPECT_THAT(content, HasSubstr("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
  EXPECT_THAT(content, Not(HasSubstr("\r\n.\r\n")));
}

TEST(ComposeTest, TheLinkInTheHeaderIsThatOfBothParts) {
  const Result<Message> message = compose(letter_to("a@b.example"), sample(), kIdentity);
  ASSERT_TRUE(message);
  const std::string link =
      unsubscribe_link(kIdentity.public_url, kIdentity.unsubscribe_secret, "a@b.example");
  EXPECT_THAT(message->content, HasSubstr("List-Unsubscribe: <" + link + ">\r\n"));
  EXPECT_THAT(message->text, HasSubstr(link + "\n"));
  EXPECT_THAT(message->html, HasSubstr("&amp;s="));
  EXPECT_THAT(message->html, HasSubstr("</p>\n</body>"));
}

TEST(ComposeTest, HasNoLinkWithoutSecretOrAddress) {
  for (const MailIdentity& identity :
       {MailIdentity{kIdentity.from, kIdentity.public_url, ""},
        MailIdentity{kIdentity.from, "", "a secret"},
        MailIdentity{kIdentity.from, "ftp://pickmyclass.example", "a secret"}}) {
    const Result<Message> message = compose(letter_to("a@b.example"), sample(), identity);
    ASSERT_TRUE(message);
    EXPECT_THAT(message->content, Not(HasSubstr("nsubscribe")));
  }
}

TEST(ComposeTest, TheSameLetterGivesTheSameBytes) {
  const Result<Message> one = compose(letter_to("a@b.example"), sample(), kIdentity);
  const Result<Message> two = compose(letter_to("a@b.example"), sample(), kIdentity);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->content, two->content);
}

TEST(ComposeTest, WithoutHtmlItIsPlainText) {
  Content content = sample();
  content.html.clear();
  const Result<Message> message = compose(letter_to("a@b.example"), content, kIdentity);
  ASSERT_TRUE(message);
  EXPECT_THAT(message->content, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(message->content, Not(HasSubstr("multipart")));
}

TEST(ComposeTest, AHeaderCannotBeBrokenOutOf) {
  Content content = sample();
  content.headers = {{"X-Note", "a\r\nBcc: evil@b.example"}};
  const Result<Message> message = compose(letter_to("a@b.example"), content, kIdentity);
  ASSERT_TRUE(message);
  EXPECT_THAT(message->content, HasSubstr("X-Note: a Bcc: evil@b.example\r\n"));
}

TEST(ComposeTest, RefusesHeadersThatAreNotTheContents) {
  for (const char* name : {"Bcc",
                           "to",
                           "FROM",
                           "Content-Type",
                           "Message-ID",
                           "X A",
                           "X:A",
                           "",
                           "X\r\nBcc",
                           "List-Unsubscribe",
                           "X-\xC3\xBC"}) {
    Content content = sample();
    content.headers = {{name, "v"}};
    const Result<Message> message = compose(letter_to("a@b.example"), content, kIdentity);
    EXPECT_EQ(message.code(), Code::kInvalidArgument) << name;
  }
}

TEST(ComposeTest, RefusesAddressesAndEmptyContent) {
  EXPECT_EQ(compose(letter_to("nobody"), sample(), kIdentity).code(), Code::kInvalidArgument);
  EXPECT_EQ(compose(letter_to("a@b.example"), sample(), {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(compose(letter_to("a@b.example"), {"S", "", "", {}}, kIdentity).code(),
            Code::kInvalidArgument);
}

TEST(UnsubscribeLinkTest, ReadsWhatItMadeAndNothingElse) {
  const std::string link = unsubscribe_link("https://x.example/", "secret", "A.b@x.example");
  ASSERT_TRUE(link.starts_with("https://x.example/unsubscribe?a=")) << link;
  const std::size_t at = link.find("a=") + 2;
  const std::size_t end = link.find("&s=");
  const std::string a = link.substr(at, end - at);
  const std::string s = link.substr(end + 3);
  EXPECT_EQ(read_unsubscribe_link("secret", a, s), "A.b@x.example");
  EXPECT_FALSE(read_unsubscribe_link("other", a, s));
  EXPECT_FALSE(read_unsubscribe_link("", a, s));
  EXPECT_FALSE(read_unsubscribe_link("secret", a, ""));
  EXPECT_FALSE(read_unsubscribe_link("secret", a, s.substr(1)));
  EXPECT_FALSE(read_unsubscribe_link("secret", "", s));
  EXPECT_FALSE(read_unsubscribe_link("secret", "zz", s));
  EXPECT_FALSE(read_unsubscribe_link("secret", std::string(100'000, 'a'), s));
  for (std::size_t i = 0; i < s.size(); ++i) {
    std::string changed = s;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(read_unsubscribe_link("secret", a, changed)) << i;
  }
}

}  // namespace
}  // namespace edged::mail
