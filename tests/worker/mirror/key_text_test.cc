// SPDX-License-Identifier: Apache-2.0
// Key templates that tell rows apart, and those that do not.
#include "worker/mirror/key_text.h"

#include <gtest/gtest.h>

#include <random>

namespace edged::mirror {
namespace {

using Texts = std::map<std::string, std::string>;
using Names = std::vector<std::string>;

constexpr std::uint32_t kBool = 16, kInt = 23, kDate = 1082, kTimestamp = 1114, kNumeric = 1700,
                        kUuid = 2950;
const char kUuidText[] = "d9c733e0-3be6-e46e-6b8b-a255db9899cf";

// Columns i and j are int, d date, s timestamp, n numeric, u uuid, t bool, e an enum; others text.
KeyReader::Shapes shapes() {
  return {{"i", shape_of_type(kInt)},
          {"j", shape_of_type(kInt)},
          {"d", shape_of_type(kDate)},
          {"s", shape_of_type(kTimestamp)},
          {"n", shape_of_type(kNumeric)},
          {"u", shape_of_type(kUuid)},
          {"t", shape_of_type(kBool)},
          {"e", shape_of_labels({"sad", "very-glad"})},
          {"a", TextShape{}}};
}

KeyReader reader(const std::string& key) {
  return {*KeyTemplate::parse(key), shapes()};
}

TEST(KeyReaderTest, KnowsWhichColumnsCanBeReadBack) {
  const struct {
    const char* key;
    Names known, ambiguous;
  } cases[] = {
      {"k:{a}", {"a"}, {}},
      {"k:{a}:", {"a"}, {}},
      {"k:{a}:{b}", {}, {"a", "b"}},
      {"k:{a}{b}", {}, {"a", "b"}},
      {"k:{i}:{a}", {"i", "a"}, {}},
      {"k:{a}:{i}", {"a", "i"}, {}},
      {"k:{i}:{a}:{j}", {"i", "a", "j"}, {}},
      {"k:{a}:{b}:{i}", {"i"}, {"a", "b"}},
      {"k:{i}:{a}:{b}", {"i"}, {"a", "b"}},
      {"k:{i}{j}", {}, {"i", "j"}},
      {"k:{i}-{j}", {"i", "j"}, {}},
      {"k:{a}-{i}", {}, {"a", "i"}},
      {"k:{i}-{a}", {"i", "a"}, {}},
      {"k:{n}.{i}", {"n", "i"}, {}},
      {"k:{n}.{n}.{i}", {"i"}, {"n"}},
      {"k:{u}{a}", {"u", "a"}, {}},
      {"k:{a}{u}", {"a", "u"}, {}},
      {"k:{t}{a}{u}", {"t", "a", "u"}, {}},
      {"k:{u}-{a}", {"u", "a"}, {}},
      {"k:{s}:{i}", {"s", "i"}, {}},
      {"k:{s}:{a}", {}, {"s", "a"}},
      {"k:{s}/{a}", {"s", "a"}, {}},
      {"k:{d}:{s}", {"d", "s"}, {}},
      {"k:{e}:{a}", {"e", "a"}, {}},
      {"k:{e}-{a}", {}, {"e", "a"}},
      {"k:{a|uri}:{b}", {"a", "b"}, {}},
      {"k:{a}:{b|uri}", {"a", "b"}, {}},
      {"k:{a|uri}-{b}", {}, {"a", "b"}},
      {"k:{a|uri}:{b|uri}:{c}", {"a", "b", "c"}, {}},
  };
  for (const auto& one : cases) {
    std::vector<std::string> known = reader(one.key).columns();
    EXPECT_EQ(known, one.known) << one.key;
    EXPECT_EQ(reader(one.key).ambiguous(), one.ambiguous) << one.key;
  }
}

TEST(KeyReaderTest, ReadsColumnsBack) {
  EXPECT_EQ(reader("k:{i}-{j}").read("k:-1--2"), (Texts{{"i", "-1"}, {"j", "-2"}}));
  EXPECT_EQ(reader("k:{i}:{a}:{j}").read("k:1:x:y:-2"),
            (Texts{{"i", "1"}, {"a", "x:y"}, {"j", "-2"}}));
  EXPECT_EQ(reader("k:{a}:{b}:{i}").read("k:x:y:z:3"), (Texts{{"i", "3"}}));
  EXPECT_EQ(reader("k:{a|uri}:{b}").read("k:x%3Ay:z:"), (Texts{{"a", "x:y"}, {"b", "z:"}}));
  EXPECT_EQ(reader("k:{u}{a}").read(std::string("k:") + kUuidText + "x"),
            (Texts{{"u", kUuidText}, {"a", "x"}}));
  for (const char* other : {"", "k", "k:1", "x:1-2"}) {
    EXPECT_FALSE(reader("k:{i}-{j}").read(other)) << other;
  }
  EXPECT_FALSE(reader("k:{i}:").read("k:1"));
  EXPECT_FALSE(reader("k:{u}").read("k:short"));
}

// Columns of a template that counts as readable are read back from any key.
TEST(KeyReaderTest, ReadsBackWhatWasWritten) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  const auto any_text = [&](const std::string& column) {
    if (column == "u") return std::string(kUuidText);
    if (column == "t") return std::string(pick(2) == 0 ? "t" : "f");
    if (column == "e") return std::string(pick(2) == 0 ? "sad" : "very-glad");
    if (column == "i" || column == "j") return std::to_string(pick(300) - 150);
    std::string text;
    for (int n = pick(6); n > 0; --n) text += ":-ab%{1"[pick(7)];
    return text;
  };
  const Names names{"i", "j", "u", "t", "e", "a", "b", "a|uri", "b|uri"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "k:";
    for (int n = 1 + pick(4); n > 0; --n) {
      text += "{" + names[static_cast<std::size_t>(pick(9))] + "}";
      for (int m = pick(3); m > 0; --m) text += ":-a"[pick(3)];
    }
    const KeyTemplate key = *KeyTemplate::parse(text);
    Texts row;
    for (const std::string& column : key.columns()) row[column] = any_text(column);
    const auto made =
        key.render([&](const std::string& column) { return std::string_view(row[column]); });
    ASSERT_TRUE(made && *made);
    const KeyReader one(key, shapes());
    const auto read = one.read(**made);
    ASSERT_TRUE(read) << text << " " << **made << ", seed " << seed;
    for (const std::string& column : one.columns()) {
      ASSERT_EQ(read->at(column), row[column]) << text << " " << **made << ", seed " << seed;
    }
  }
}

TEST(KeyReaderTest, SuggestsATemplateThatWorks) {
  for (const char* key : {"w:{a}:{b}", "w:{a}{b}", "w:{b}-{i}", "w:{s}:{a}", "{{w:{a}{i}{b}"}) {
    const KeyTemplate bad = *KeyTemplate::parse(key);
    const auto good = KeyTemplate::parse(unambiguous_template(bad, shapes()));
    ASSERT_TRUE(good) << unambiguous_template(bad, shapes());
    EXPECT_EQ(good->prefix(), bad.prefix());
    EXPECT_EQ(good->columns(), bad.columns());
    EXPECT_EQ(KeyReader(*good, shapes()).ambiguous(), Names{}) << good->text();
  }
  EXPECT_EQ(unambiguous_template(*KeyTemplate::parse("w:{a}:{b}"), shapes()), "w:{a|uri}:{b}");
}

}  // namespace
}  // namespace edged::mirror
