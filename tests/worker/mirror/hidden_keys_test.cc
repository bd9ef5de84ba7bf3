// SPDX-License-Identifier: Apache-2.0
// The forms in which the mirror keeps its state in the node, and damaged ones.
#include "worker/mirror/hidden_keys.h"

#include <gtest/gtest.h>

#include <set>

namespace edged::mirror {
namespace {

TEST(HiddenKeysTest, AllAreReservedAndDifferent) {
  const std::set<std::string> keys{owner_key(),
                                   rules_key(),
                                   position_key(),
                                   source_key(),
                                   part_key(),
                                   beat_key(),
                                   index_key(1, "a"),
                                   index_key(11, "a"),
                                   index_key(1, "1:a"),
                                   index_key(1, std::string(4000, 'a')),
                                   index_key(1, std::string(4001, 'a'))};
  EXPECT_EQ(keys.size(), 11U);
  for (const std::string& key : keys) {
    EXPECT_TRUE(is_reserved(key));
    EXPECT_LE(key.size(), 512U);
  }
  EXPECT_FALSE(is_reserved("class_state:1"));
  EXPECT_TRUE(index_key(1, "a").starts_with(index_prefix(1)));
  EXPECT_FALSE(index_key(11, "a").starts_with(index_prefix(1)));
  EXPECT_TRUE(index_key(11, "a").starts_with(index_root()));
}

TEST(HiddenKeysTest, PositionsCompareAsBytes) {
  const std::vector<Lsn> ascending{1, 0xFF, 0x100, 0x1'0000'0000, 0xFFFF'FFFF'FFFF'FFFF};
  for (std::size_t i = 0; i + 1 < ascending.size(); ++i) {
    EXPECT_LT(encode_position(ascending[i]), encode_position(ascending[i + 1]));
    EXPECT_EQ(*decode_position(encode_position(ascending[i])), ascending[i]);
  }
  EXPECT_EQ(decode_position("1234567").code(), Code::kCorruption);
}

TEST(HiddenKeysTest, RulesReadBack) {
  const std::vector<OwnedPrefix> rules{
      {"class_state:", std::chrono::hours(1), true},
      {std::string(512, 'x'), std::chrono::milliseconds(0), false}};
  const std::string bytes = encode_rules(rules);
  EXPECT_EQ(*decode_rules(bytes), rules);
  EXPECT_EQ(decode_rules(encode_rules({}))->size(), 0U);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto cut = decode_rules(std::string_view(bytes).substr(0, i));
    if (cut) {
      EXPECT_LT(cut->size(), rules.size()) << i;
    } else {
      EXPECT_EQ(cut.code(), Code::kCorruption) << i;
    }
  }
}

TEST(HiddenKeysTest, SourceAndPartReadBack) {
  Source source;
  source.system = "7123456789012345678";
  source.timeline = 3;
  source.slot = "edged";
  source.shape = "abc";
  source.rules = {"one", "t\"wo"};
  source.sweeps = {"old:"};
  source.loaded = true;
  EXPECT_EQ(*decode_source(encode_source(source)), source);
  const Part part{0x16'B374D848, 12'345'678'901};
  EXPECT_EQ(decode_part(encode_part(part))->final_lsn, part.final_lsn);
  EXPECT_EQ(decode_part(encode_part(part))->changes, part.changes);
  for (const char* damaged : {"", "{", "[]", "{\"system\":1}", "null", "{\"final_lsn\":\"x\"}"}) {
    EXPECT_EQ(decode_source(damaged).code(), Code::kCorruption) << damaged;
    EXPECT_FALSE(decode_part(damaged)) << damaged;
  }
}

TEST(HiddenKeysTest, TheNodesMark) {
  const std::string head("\x01\x00\x08\x00", 4);
  const std::string time("\xE8\x03\x00\x00\x00\x00\x00\x00", 8);
  const auto mark = decode_mark(head + time + encode_position(5));
  ASSERT_TRUE(mark) << mark.error().to_string();
  EXPECT_EQ(mark->position, 5U);
  EXPECT_EQ(to_unix_ms(mark->fresh_as_of), 1000);
  const auto none = decode_mark(std::string("\x01\x00\x00\x00", 4) + time);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->position, 0U);
  EXPECT_EQ(decode_mark(head + time + "short").code(), Code::kCorruption);
  EXPECT_EQ(decode_mark("").code(), Code::kCorruption);
}

TEST(HiddenKeysTest, TextOfARuleTellsRulesApart) {
  Rule rule;
  rule.table = *parse_table_name("t");
  rule.key = *KeyTemplate::parse("k:{a}");
  const std::string before = text_of(rule);
  Rule other = rule;
  other.ttl = std::chrono::hours(1);
  EXPECT_EQ(text_of(other), before) << "another bound on staleness loads nothing anew";
  other.key = *KeyTemplate::parse("k:{b}");
  EXPECT_NE(text_of(other), before);
  other = rule;
  other.value = {RowValue::Kind::kConstant, "1"};
  EXPECT_NE(text_of(other), before);
}

}  // namespace
}  // namespace edged::mirror
