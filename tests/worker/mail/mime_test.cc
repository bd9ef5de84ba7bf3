// SPDX-License-Identifier: Apache-2.0
// The mail encodings as tables of exact bytes.
#include "worker/mail/mime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

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

// Undoes quoted_printable() by the rules of RFC 2045, to compare byte by byte.
std::string decoded(const std::string& encoded) {
  std::string out;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '=') {
      out += encoded[i];
    } else if (encoded.compare(i, 3, "=\r\n") == 0) {
      i += 2;
    } else {
      out += static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16));
      i += 2;
    }
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find("\r\n", at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 2;
  }
  return lines;
}

TEST(QuotedPrintableTest, NoLineBeginsWithADotOrFromWhereverASoftBreakFalls) {
  for (const std::string word : {".",
                                 "..",
                                 "From ",
                                 "F",
                                 "=",
                                 "=3D",
                                 "é",
                                 "日本",
                                 " ",
                                 "\t",
                                 "\r",
                                 ".From .",
                                 ". ",
                                 "From"}) {
    for (std::size_t length = 0; length < 160; ++length) {
      const std::string text =
          std::string(length, 'x') + word + word + std::string(length % 80, 'y') + word;
      const std::string encoded = quoted_printable(text + "\n");
      EXPECT_EQ(decoded(encoded), text + "\r\n") << length << " before " << word;
      for (const std::string& line : lines_of(encoded)) {
        EXPECT_LE(line.size(), 76u) << line;
        EXPECT_FALSE(line.starts_with('.') || line.starts_with("From ")) << line;
        EXPECT_FALSE(line.ends_with(' ') || line.ends_with('\t')) << line;
        const std::size_t escape = line.rfind('=');  // whole, or the soft break
        EXPECT_TRUE(escape == line.npos || escape + 1 == line.size() || escape + 2 < line.size())
            << line;
      }
    }
  }
}

TEST(HeaderFieldTest, AnEncodedWordHoldsWholeCharactersAndItsLineAtMost76Columns) {
  for (const std::string name : {"Subject", "X-Edged-Section", "X-Edged-Notification"}) {
    for (const std::string character : {"é", "日", "😀"}) {
      for (std::size_t length = 0; length < 120; ++length) {
        const std::string field = header_field(name, std::string(length, 'x') + character + "z");
        for (const std::string& line : lines_of(field)) {
          EXPECT_LE(line.size(), 76u) << line;
          const std::size_t start = line.find("=?UTF-8?B?");
          ASSERT_NE(start, line.npos) << line;
          EXPECT_LE(line.size() - start, 75u) << line;
        }
      }
    }
  }
}

TEST(MailDateTest, IsRfc5322) {
  EXPECT_EQ(mail_date(from_unix_ms(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(mail_date(from_unix_ms(1'709'210'096'999)), "Thu, 29 Feb 2024 12:34:56 +0000");
}

TEST(HtmlEscapeTest, EscapesTheFive) {
  EXPECT_EQ(html_escape("<a b='c'>&\"é"), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;é");
}

TEST(StableHashTest, NeverChanges) {
  EXPECT_EQ(stable_hash(""), "cbf29ce484222325");
  EXPECT_EQ(stable_hash("a"), "af63dc4c8601ec8c");
}

}  // namespace
}  // namespace edged::mail
