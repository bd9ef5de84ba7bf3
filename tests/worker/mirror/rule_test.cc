// SPDX-License-Identifier: Apache-2.0
#include "worker/mirror/rule.h"

#include <gtest/gtest.h>

#include <map>

namespace edged::mirror {
namespace {

using Values = std::map<std::string, std::optional<std::string>>;

std::string render(const std::string& text, const Values& values) {
  const auto key = KeyTemplate::parse(text);
  if (!key) return key.error().message();
  const auto rendered =
      key->render([&values](const std::string& column) -> std::optional<std::string_view> {
        const auto& value = values.at(column);
        return value ? std::optional<std::string_view>(*value) : std::nullopt;
      });
  if (!rendered) return rendered.error().message();
  return rendered->value_or("no key");
}

TEST(KeyTemplateTest, MakesKeys) {
  EXPECT_EQ(render("class_state:{nbr}", {{"nbr", "12431"}}), "class_state:12431");
  EXPECT_EQ(render("notif:{a}:{b}", {{"a", "1"}, {"b", "open"}}), "notif:1:open");
  EXPECT_EQ(render("{a}{a}", {{"a", "x"}}), "xx");
  EXPECT_EQ(render("{{{a}}}", {{"a", "x"}}), "{x}");
  EXPECT_EQ(render("k:{a b}", {{"a b", ""}}), "k:");
  EXPECT_EQ(render("k:{a}", {{"a", std::nullopt}}), "no key");
  EXPECT_NE(render("{a}", {{"a", ""}}).find("0 bytes"), std::string::npos);
  EXPECT_EQ(render("{a}", {{"a", std::string(512, 'x')}}), std::string(512, 'x'));
  EXPECT_NE(render("{a}", {{"a", std::string(513, 'x')}}).find("513 bytes"), std::string::npos);
}

TEST(KeyTemplateTest, KnowsItsColumnsAndPrefix) {
  const auto key = KeyTemplate::parse("n:{b}:{a}:{b}");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->columns(), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(key->prefix(), "n:");
  EXPECT_EQ(KeyTemplate::parse("{a}:n")->prefix(), "");
  EXPECT_EQ(KeyTemplate::parse("{{n{a}")->prefix(), "{n");
}

TEST(KeyTemplateTest, RefusesWhatIsNone) {
  const struct {
    std::string text;
    const char* says;
  } cases[] = {{"", "names no column"},
               {"constant", "names no column"},
               {"a:{", "{ without a }"},
               {"a:{b", "{ without a }"},
               {"a:}", "} without a {"},
               {"a:{}", "without a column name"},
               {"a:{b{c}", "{ within the name of a column"},
               {"{{a}}", "names no column"},
               {"a:{b|hex}", "only \"uri\" is known"},
               {"a:{|uri}", "without a column name"},
               {std::string(512, 'x') + "{a}", "longer than a key may be"}};
  for (const auto& one : cases) {
    const auto key = KeyTemplate::parse(one.text);
    ASSERT_EQ(key.code(), Code::kInvalidArgument) << one.text;
    EXPECT_NE(key.error().message().find(one.says), std::string::npos) << key.error().message();
  }
}

TEST(KeyTemplateTest, EncodesColumns) {
  EXPECT_EQ(render("k:{a|uri}:{b}", {{"a", "x:y é%~"}, {"b", "z:%"}}), "k:x%3Ay%20%C3%A9%25~:z:%");
  const auto encoding = KeyTemplate::Encoding::kUri;
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(decoded(encoded(all, encoding), encoding), all);
  EXPECT_EQ(decoded("%3", encoding), "%3");
}

TEST(RuleTest, ReadsTableNames) {
  EXPECT_EQ(parse_table_name("t")->to_text(), "public.t");
  EXPECT_EQ(parse_table_name("s.t")->to_text(), "s.t");
  for (const char* text : {"", ".", "s.", ".t", "a.b.c"}) {
    EXPECT_EQ(parse_table_name(text).code(), Code::kInvalidArgument) << text;
  }
}

Rule rule(const std::string& table, const std::string& key) {
  Rule made;
  made.table = *parse_table_name(table);
  made.key = *KeyTemplate::parse(key);
  return made;
}

TEST(RuleTest, RefusesRulesThatMeet) {
  EXPECT_TRUE(check_rules_together({}).ok());
  EXPECT_TRUE(check_rules_together({rule("a", "a:{x}"), rule("b", "b:{x}")}).ok());
  const Status same_table = check_rules_together({rule("a", "a:{x}"), rule("public.a", "b:{x}")});
  EXPECT_NE(same_table.message().find("two rules name the table public.a"), std::string::npos);
  for (const char* key : {"a:{x}", "a:b:{x}", "{x}"}) {
    const Status met = check_rules_together({rule("a", "a:{x}"), rule("b", key)});
    EXPECT_NE(met.message().find("may write the same keys"), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace edged::mirror
