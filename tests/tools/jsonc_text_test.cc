// SPDX-License-Identifier: Apache-2.0
// Comments at every place, encodings, and where the errors stand.
#include "tools/edged/jsonc_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace edged::config {
namespace {

struct Parsed {
  bool ok = false;
  Json document;
  JsonError error;
};

Parsed parse(const std::string& text) {
  Parsed parsed;
  parsed.ok = parse_jsonc(text, parsed.document, parsed.error);
  return parsed;
}

std::string with_line_ends(std::string text, const std::string& end) {
  for (std::size_t at = text.find('\n'); at != std::string::npos;
       at = text.find('\n', at + end.size())) {
    text.replace(at, 1, end);
  }
  return text;
}

// As `wrangler init` and the templates of Cloudflare write them.
const char* const kHeads[] = {
    "// For more details see https://developers.cloudflare.com/workers/wrangler/configuration/\n",
    "/**\n * For more details on how to configure Wrangler, refer to:\n"
    " * https://developers.cloudflare.com/workers/wrangler/configuration/\n */\n",
    "/* eslint-disable */",
    "/***/",
    "/****/\n",
    "/** x **/",
    "/* a */ /* b */\n// c\n",
    "\n\n  // blank lines before\n\n",
    "// a quote \" and /* an opening\n",
    "/* a quote \" and // slashes */",
    "//\n",
    "/**/",
    "/* * / */",
    "// latin-1: \xE9\n",
    "\xEF\xBB\xBF",
    "\xEF\xBB\xBF// behind a byte order mark\n",
};

TEST(JsoncTextTest, ReadsTheHeadsOfRealFilesWithEveryLineEnd) {
  for (const char* head : kHeads) {
    for (const char* end : {"\n", "\r\n", "\r"}) {
      SCOPED_TRACE(std::string(head) + (end[0] == '\r' ? " CR" : " LF"));
      const Parsed parsed = parse(with_line_ends(std::string(head) + "{\n \"a\": 1\n}\n", end));
      ASSERT_TRUE(parsed.ok) << parsed.error.message;
      ASSERT_NE(parsed.document.find("a"), nullptr);
    }
  }
}

TEST(JsoncTextTest, ReadsACommentAtEveryTokenBorder) {
  const std::vector<std::string> tokens{
      "{",    "\"a\"", ":", "[", "1",        ",", "-2.5e3", ",",     "true", ",",
      "null", ",",     "]", ",", "\"b//c\"", ":", "{",      "\"d\"", ":",    "\"/* e */ \\\" //\"",
      ",",    "}",     ",", "}"};
  for (const char* comment : {"//x\n", "/**/", "/***/", "/* \" */", "/** y **/", "// \"\r\n"}) {
    for (std::size_t border = 0; border <= tokens.size(); ++border) {
      std::string text, all;
      for (std::size_t i = 0; i <= tokens.size(); ++i) {
        if (i == border) text += comment;
        all += comment;
        if (i < tokens.size()) {
          text += tokens[i];
          all += tokens[i];
        }
      }
      for (const std::string& one : {text, all}) {
        SCOPED_TRACE(one);
        const Parsed parsed = parse(one);
        ASSERT_TRUE(parsed.ok) << parsed.error.message;
        EXPECT_EQ(parsed.document.find("a")->elements.size(), 4U);
        EXPECT_EQ(parsed.document.find("b//c")->find("d")->text, "/* e */ \" //");
      }
    }
  }
}

TEST(JsoncTextTest, KeepsLengthAndLines) {
  const std::string text = "// \"x\"\r\n{ /* a\n b */ \"k//\": \"/* v */\" } // end";
  std::string plain;
  JsonError error;
  ASSERT_TRUE(blank_comments(text, plain, error));
  EXPECT_EQ(plain, "      \r\n{     \n      \"k//\": \"/* v */\" }       ");
}

TEST(JsoncTextTest, NamesWhereItFails) {
  struct Case {
    const char* name;
    std::string text;
    int line, column;
    const char* message;
  };
  const Case cases[] = {
      {"open comment", "{}\n /* never", 2, 2, "not closed"},
      {"open comment at the start", "/*", 1, 1, "not closed"},
      {"slash star slash", "{ /*/ }", 1, 3, "not closed"},
      {"one slash", "{\n / }", 2, 2, "unexpected /"},
      {"hash", "# no\n{}", 1, 1, "unexpected #. Comments begin with //"},
      {"comment in the middle of a word", "{\"a\": tr/**/ue}", 1, 9, "syntax"},
      {"error behind a comment", "/* \n\n */ { \"a\": oops }", 3, 12, "unexpected o"},
      {"error behind a byte order mark", "\xEF\xBB\xBF{ x }", 1, 3, "unexpected x"},
      {"error behind CRLF", "{\r\n  \"a\": 1,\r\n  x }", 3, 3, "unexpected x"},
      {"error behind CR", "{\r  x }", 2, 3, "unexpected x"},
      {"line end in a string", "{\"a\": \"b\n\"}", 1, 9, "end of the line"},
      {"only a line comment", "// nothing", 1, 1, "only comments"},
      {"only a comment", "/* nothing */\n", 1, 1, "only comments"},
      {"only blanks", " \r\n\t", 1, 1, "only comments and blanks"},
      {"only a byte order mark", "\xEF\xBB\xBF", 1, 1, "empty"},
      {"empty", "", 1, 1, "empty"},
      {"UTF-16, little endian", std::string("\xFF\xFE{\0}\0", 6), 1, 1, "UTF-16"},
      {"UTF-16, big endian", std::string("\xFE\xFF\0{\0}", 6), 1, 1, "UTF-16"},
      {"UTF-16 without a mark", std::string("{\0}\0", 4), 1, 1, "UTF-16"},
      {"latin-1 in a value", "{\n \"a\": \"caf\xE9\" }", 2, 11, "0xE9 is not UTF-8"},
      {"latin-1 in a key", "{\"\xE9\": 1}", 1, 3, "not UTF-8"},
      {"cut UTF-8", "{\"a\": \"\xE2\x82\"}", 1, 8, "0xE2 is not UTF-8"},
      {"overlong UTF-8", "{\"a\": \"\xC0\xAF\"}", 1, 8, "not UTF-8"},
      {"surrogate in UTF-8", "{\"a\": \"\xED\xA0\x80\"}", 1, 8, "not UTF-8"},
      {"leading half alone", "{\"a\": \"\\ud83d\"}", 1, 8, "surrogate"},
      {"leading half before text", "{\"a\": \"\\ud83dx\"}", 1, 8, "surrogate"},
      {"two leading halves", "{\"a\": \"\\ud83d\\ud83d\"}", 1, 8, "surrogate"},
      {"trailing half alone", "{\"a\": \"\\ude00\"}", 1, 8, "surrogate"},
      {"trailing half behind a pair", "{\"a\": \"\\ud83d\\ude00\\ude00\"}", 1, 20, "surrogate"},
      {"half in a key", "{\n\"\\ud83d\": 1}", 2, 2, "surrogate"},
      {"short escape", "{\"a\": \"\\u12\"}", 1, 12, "four hexadecimal digits"},
      {"a no-break space between tokens", "{\xC2\xA0\"a\": 1}", 1, 2, "outside a string"},
      {"a byte order mark inside", "{\"a\":\xEF\xBB\xBF 1}", 1, 6, "outside a string"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Parsed parsed = parse(one.text);
    ASSERT_FALSE(parsed.ok);
    EXPECT_EQ(parsed.error.position.line, one.line);
    EXPECT_EQ(parsed.error.position.column, one.column);
    EXPECT_NE(parsed.error.message.find(one.message), std::string::npos) << parsed.error.message;
  }
}

TEST(JsoncTextTest, ReadsWholeSurrogatePairsAndUtf8) {
  // An escaped backslash before "ud83d" is no escape.
  EXPECT_TRUE(parse("{\"a\": \"\\\\ud83d\"}").ok);
  const Parsed parsed = parse("{\"a\": \"\\ud83d\\ude00 \xF0\x9F\x98\x80\"}");
  ASSERT_TRUE(parsed.ok) << parsed.error.message;
  EXPECT_EQ(parsed.document.find("a")->text, "\xF0\x9F\x98\x80 \xF0\x9F\x98\x80");
}

}  // namespace
}  // namespace edged::config
