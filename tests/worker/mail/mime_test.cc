// SPDX-License-Identifier: Apache-2.0
// The mail encodings as tables of exact bytes.
#include "worker/mail/mime.h"

#include <gtest/gtest.h>

#include <string>

namespace edged::mail {
namespace {

TEST(OneLineTest, LeavesNothingThatBreaksALine) {
  const struct {
    std::string text, expected;
  } cases[] = {
      {"", ""},
      {"  a  b\t\r\n c ", "a b c"},
      {std::string("a\0b", 3), "a b"},
      {"a\x7F"
       "b",
       "a b"},
      {"a\xE2\x80\xA8"
       "b\xC2\x85"
       "c",
       "a b c"},
      {"\xFF", "\xEF\xBF\xBD"},
      {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"caf\xC3", "caf\xEF\xBF\xBD"},
      {"日本", "日本"},
  };
  for (const auto& c : cases) EXPECT_EQ(one_line(c.text, 1000), c.expected) << c.text;
}

TEST(OneLineTest, CutsBetweenCharacters) {
  EXPECT_EQ(one_line("abcdef", 6), "abcdef");
  EXPECT_EQ(one_line("abcdefg", 6), "abcdef…");
  EXPECT_EQ(one_line("日本語", 7), "日本…");
  EXPECT_EQ(one_line("日本語", 2), "…");
}

TEST(HeaderFieldTest, WritesPlainFoldedOrEncoded) {
  EXPECT_EQ(header_field("Subject", "short"), "Subject: short\r\n");
  EXPECT_EQ(header_field("Subject", "é"), "Subject: =?UTF-8?B?w6k=?=\r\n");
  EXPECT_EQ(header_field("Subject", "=?x?="), "Subject: =?UTF-8?B?PT94Pz0=?=\r\n");
  EXPECT_EQ(header_field("Subject", "a\r\nBcc: b"), "Subject: a Bcc: b\r\n");
  const std::string forty(40, 'a');
  EXPECT_EQ(header_field("Subject", forty + " " + forty),
            "Subject: " + forty + "\r\n " + forty + "\r\n");
}

TEST(QuotedPrintableTest, EncodesWhatTransportsChange) {
  const struct {
    std::string text, expected;
  } cases[] = {
      {"", ""},
      {"plain\n", "plain\r\n"},
      {"no end", "no end\r\n"},
      {"a=b", "a=3Db\r\n"},
      {"é\n", "=C3=A9\r\n"},
      {"space \ntab\t\n", "space=20\r\ntab=09\r\n"},
      {".\n", "=2E\r\n"},
      {"From me\n", "=46rom me\r\n"},
      {"\r\n", "=0D\r\n"},
      {std::string(75, 'x') + "\n", std::string(75, 'x') + "\r\n"},
      {std::string(76, 'x') + "\n", std::string(75, 'x') + "=\r\nx\r\n"},
      {std::string(74, 'x') + "é\n", std::string(74, 'x') + "=\r\n=C3=A9\r\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(quoted_printable(c.text), c.expected) << c.text;
}

TEST(MailDateTest, IsRfc5322) {
  EXPECT_EQ(mail_date(from_unix_ms(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(mail_date(from_unix_ms(1'709'210'096'999)), "Thu, 29 Feb 2024 12:34:56 +0000");
}

TEST(HtmlEscapeTest, EscapesTheFive) {
  EXPECT_EQ(html_escape("<a b='c'>&\"é"), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;é");
}

TEST(ParseAddressTest, TakesBareAndNamed) {
  const struct {
    std::string text, name, bare, domain;
  } cases[] = {
      {"a@b", "", "a@b", "b"},
      {"<a@b>", "", "a@b", "b"},
      {"N <a@b.example>", "N", "a@b.example", "b.example"},
      {"\"N, M\" <a+c@b>", "N, M", "a+c@b", "b"},
      {"Zoë <o'neil@b>", "Zoë", "o'neil@b", "b"},
  };
  for (const auto& c : cases) {
    const auto address = parse_address(c.text);
    ASSERT_TRUE(address) << c.text << address.error().to_string();
    EXPECT_EQ(address->display_name, c.name);
    EXPECT_EQ(address->bare, c.bare);
    EXPECT_EQ(address->domain, c.domain);
  }
}

TEST(ParseAddressTest, RefusesWhatCouldBreakOut) {
  for (const std::string& text : {std::string(),
                                  std::string("nobody"),
                                  std::string("@b"),
                                  std::string("a@"),
                                  std::string("a@b@c"),
                                  std::string("a b@c"),
                                  std::string("a@b\r\nBcc: c@d"),
                                  std::string("a@b\nX"),
                                  std::string("N\r\n <a@b>"),
                                  std::string("a\0@b", 4),
                                  std::string("a@b, c@d"),
                                  std::string("a@b>"),
                                  std::string("<a@b"),
                                  std::string("<a@b> x"),
                                  std::string("<>"),
                                  std::string("é@b"),
                                  std::string("a@é"),
                                  std::string("a@[127.0.0.1]"),
                                  std::string(250, 'a') + "@b.example"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.code(), Code::kInvalidArgument) << text;
    EXPECT_EQ(address.error().message().find_first_of("\r\n"), std::string::npos);
  }
}

TEST(StableHashTest, NeverChanges) {
  EXPECT_EQ(stable_hash(""), "cbf29ce484222325");
  EXPECT_EQ(stable_hash("a"), "af63dc4c8601ec8c");
}

}  // namespace
}  // namespace edged::mail
