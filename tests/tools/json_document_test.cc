// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/json_document.h"

#include <gtest/gtest.h>

namespace edged::config {
namespace {

TEST(JsonDocumentTest, ReadsCommentsAndTrailingCommas) {
  Json document;
  JsonError error;
  ASSERT_TRUE(
      parse_jsonc("{ // one\n \"a\": [1, -2.5, true, null,], /* two */ \"b\\u0041\": \"x\\ny\", }",
                  document,
                  error))
      << error.message;
  const Json* array = document.find("a");
  ASSERT_NE(array, nullptr);
  ASSERT_EQ(array->elements.size(), 4U);
  EXPECT_EQ(array->elements[0].integer, 1);
  EXPECT_EQ(array->elements[1].real, -2.5);
  EXPECT_TRUE(array->elements[2].boolean);
  EXPECT_EQ(array->elements[3].kind, Json::Kind::kNull);
  ASSERT_NE(document.find("bA"), nullptr);
  EXPECT_EQ(document.find("bA")->text, "x\ny");
  EXPECT_EQ(document.find("c"), nullptr);
}

TEST(JsonDocumentTest, RemembersWhereKeysAndStringsStand) {
  Json document;
  JsonError error;
  ASSERT_TRUE(parse_jsonc(
      "{\n  \"a\\\"b\": {\n\t\"c\": \"v\" },\n  \"d\": [ \"x\",\n \"y\" ]\n}", document, error));
  const Json* outer = document.find("a\"b");
  ASSERT_NE(outer, nullptr);
  EXPECT_EQ(outer->position.line, 2);
  EXPECT_EQ(outer->position.column, 3);
  EXPECT_EQ(outer->find("c")->position.line, 3);
  EXPECT_EQ(outer->find("c")->position.column, 2);
  EXPECT_EQ(document.find("d")->elements[1].position.line, 5);
  EXPECT_EQ(document.find("d")->elements[1].position.column, 2);
}

TEST(JsonDocumentTest, NamesLineAndColumnOfEachSyntaxError) {
  struct Case {
    const char* name;
    std::string text;
    int line, column;
    const char* message;
  };
  const Case cases[] = {
      {"empty file", "", 1, 1, "the file is empty"},
      {"open object", "{\n  \"a\": 1", 2, 9, "ends too early"},
      {"open string", "{\"a", 1, 4, "ends too early"},
      {"bare word", "{\n  \"a\": oops }", 2, 8, "syntax"},
      {"missing colon", "{\"a\" 1}", 1, 6, "syntax"},
      {"two commas", "{\"a\":1,,}", 1, 8, "syntax"},
      {"text after the end", "{}\n x", 2, 2, "behind the end"},
      {"duplicate key", "{\n \"a\": 1,\n   \"a\": 2}", 3, 4, "duplicate key \"a\""},
      {"duplicate key by escape", "{\"a\":1, \"\\u0061\":2}", 1, 9, "duplicate key \"a\""},
      {"duplicate key below", "{\"o\":{\"k\":1,\"k\":1}}", 1, 13, "duplicate key \"k\""},
      {"an array on top", "[1]", 1, 1, "expected an object, found an array"},
      {"too deep", "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}", 1, 37, "deep"},
      {"too large", std::string((1 << 20) + 1, ' '), 1, 1, "larger than 1 MiB"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    Json document;
    JsonError error;
    ASSERT_FALSE(parse_jsonc(one.text, document, error));
    EXPECT_EQ(error.position.line, one.line);
    EXPECT_EQ(error.position.column, one.column);
    EXPECT_NE(error.message.find(one.message), std::string::npos) << error.message;
  }
}

// Every prefix of a document is an error, and none does harm.
TEST(JsonDocumentTest, RefusesEveryTruncation) {
  const std::string text = "{\"a\":[1,2.5,\"\\u00e9\",{\"b\":true}],\"c\":null}";
  for (std::size_t length = 0; length < text.size(); ++length) {
    Json document;
    JsonError error;
    EXPECT_FALSE(parse_jsonc(std::string_view(text).substr(0, length), document, error)) << length;
  }
}

}  // namespace
}  // namespace edged::config
