// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/jsonc_edit.h"

#include <gtest/gtest.h>

#include "tools/edged/json_document.h"

namespace edged::config {
namespace {

struct EditCase {
  const char* name;
  const char* text;
  const char* path;
  const char* json;
  const char* wanted;
};

// For readable names of the cases.
void PrintTo(const EditCase& one, std::ostream* out) {
  *out << one.name;
}

class JsoncSetTest : public testing::TestWithParam<EditCase> {};

TEST_P(JsoncSetTest, ChangesOneValueAndNothingElse) {
  const EditCase& one = GetParam();
  const Result<std::string> changed = set_value(one.text, key_path(one.path), one.json);
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_EQ(*changed, one.wanted);
  Json document;
  JsonError error;
  EXPECT_TRUE(parse_jsonc(*changed, document, error)) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Cases,
    JsoncSetTest,
    testing::Values(
        EditCase{"replace", "{\"a\": {\"b\": \"x\"}}", "a.b", "\"y\"", "{\"a\": {\"b\": \"y\"}}"},
        EditCase{"keeps comments",
                 "// top\n{\n  \"a\": 1, // one\n  /* \"a\": 2 */ \"b\": [1, 2], // two\n}\n",
                 "b",
                 "true",
                 "// top\n{\n  \"a\": 1, // one\n  /* \"a\": 2 */ \"b\": true, // two\n}\n"},
        EditCase{"braces in strings",
                 "{\"a\": \"}{,\\\"\", \"b\": 1}",
                 "b",
                 "2",
                 "{\"a\": \"}{,\\\"\", \"b\": 2}"},
        EditCase{"new key", "{\n  \"a\": 1\n}", "b", "2", "{\n  \"b\": 2,\n  \"a\": 1\n}"},
        EditCase{"new key of an empty object", "{}", "b", "2", "{\n  \"b\": 2,\n}"},
        EditCase{"new section",
                 "{\n  \"a\": 1\n}",
                 "s.k",
                 "\"v\"",
                 "{\n  \"s\": {\n    \"k\": \"v\",\n  },\n  \"a\": 1\n}"},
        EditCase{"new key of a section",
                 "{\n  \"s\": {\n    \"x\": 1\n  }\n}",
                 "s.k",
                 "2",
                 "{\n  \"s\": {\n    \"k\": 2,\n    \"x\": 1\n  }\n}"},
        EditCase{"byte order mark", "\xEF\xBB\xBF{\"a\": 1}", "a", "2", "\xEF\xBB\xBF{\"a\": 2}"},
        EditCase{"a nested value of the same name",
                 "{\"x\": {\"a\": 1}, \"a\": 2}",
                 "a",
                 "3",
                 "{\"x\": {\"a\": 1}, \"a\": 3}"}),
    [](const auto& info) { return std::to_string(info.index); });

TEST(JsoncEditTest, WhatIsNoObjectIsNotEntered) {
  EXPECT_EQ(set_value("{\"a\": 1}", key_path("a.b"), "2").code(), Code::kInvalidArgument);
  EXPECT_EQ(set_value("{\"a\": ", key_path("a"), "2").code(), Code::kInvalidArgument);
  EXPECT_EQ(set_value("", key_path("a"), "2").code(), Code::kInvalidArgument);
  EXPECT_EQ(remove_key("[]", key_path("a")).code(), Code::kInvalidArgument);
}

TEST(JsoncEditTest, AKeyIsRemovedWithItsLineOrItsComma) {
  EXPECT_EQ(*remove_key("{\n  \"a\": 1,\n  \"b\": 2\n}", key_path("a")), "{\n  \"b\": 2\n}");
  EXPECT_EQ(*remove_key("{\"a\": 1, \"b\": 2}", key_path("a")), "{ \"b\": 2}");
  EXPECT_EQ(*remove_key("{\"a\": {\"b\": [1, {}]}}", key_path("a.b")), "{\"a\": {}}");
  EXPECT_EQ(*remove_key("{\"a\": 1}", key_path("b")), "{\"a\": 1}");
  Json document;
  JsonError error;
  EXPECT_TRUE(parse_jsonc(*remove_key("{\"a\": 1, \"b\": 2}", key_path("b")), document, error));
}

TEST(JsoncEditTest, TextsAreReadAsTheyAreWritten) {
  const std::string text = "{\"a\": {\"url\": \"${NAME}\", \"n\": 1}}";
  EXPECT_EQ(written_text(text, key_path("a.url")), "${NAME}");
  EXPECT_EQ(written_text(text, key_path("a.n")), std::nullopt);
  EXPECT_EQ(written_text(text, key_path("a.none.deep")), std::nullopt);
  EXPECT_TRUE(has_key(text, key_path("a.n")));
  EXPECT_FALSE(has_key(text, key_path("b")));
}

}  // namespace
}  // namespace edged::config
