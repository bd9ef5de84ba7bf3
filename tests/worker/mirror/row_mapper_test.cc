// SPDX-License-Identifier: Apache-2.0
#include "worker/mirror/row_mapper.h"

#include <gtest/gtest.h>

namespace edged::mirror {
namespace {

using Field = RowMapper::Field;
using Kind = RowValue::Kind;

constexpr Field kNull{std::nullopt, false};
constexpr Field kUnchanged{std::nullopt, true};
Field text(std::string_view value) {
  return {value, false};
}

std::vector<TableColumn> columns() {
  return {{{"id", JsonType{JsonForm::kNumber}}, true},
          {{"nr", {}}, false},
          {{"note", {}}, false},
          {{"at", JsonType{JsonForm::kTimestampTz}}, false}};
}

Rule rule(const std::string& key, RowValue value = {}, std::string expires = "") {
  Rule rule;
  rule.table = {"public", "t"};
  rule.key = *KeyTemplate::parse(key);
  rule.value = std::move(value);
  rule.expires = std::move(expires);
  return rule;
}

RowMapper mapper(Rule rule, bool whole = false) {
  auto made = RowMapper::make(std::move(rule), columns(), whole);
  EXPECT_TRUE(made) << made.error().to_string();
  return *std::move(made);
}

TEST(RowMapperTest, MakesTheEntryOfARow) {
  const std::vector<Field> row{text("7"), text("12431"), kNull, text("2026-11-24 14:33:35.5+00")};
  const auto whole = mapper(rule("s:{nr}")).entry(row, std::nullopt);
  ASSERT_TRUE(whole) << whole.error().to_string();
  EXPECT_EQ((*whole)->key, "s:12431");
  EXPECT_EQ((*whole)->value,
            R"({"id":7,"nr":"12431","note":null,"at":"2026-11-24T14:33:35.5+00:00"})");
  EXPECT_FALSE((*whole)->expires_ms);
  const auto column = mapper(rule("s:{nr}:{id}", {Kind::kColumn, "nr"}, "at")).entry(row, "old");
  EXPECT_EQ((*column)->key, "s:12431:7");
  EXPECT_EQ((*column)->value, "12431");
  EXPECT_EQ((*column)->expires_ms, 1'795'530'815'500);
  EXPECT_EQ((*mapper(rule("s:{nr}", {Kind::kColumn, "note"})).entry(row, "old"))->value, "");
  EXPECT_EQ((*mapper(rule("s:{nr}", {Kind::kConstant, "1"})).entry(row, "old"))->value, "1");
}

TEST(RowMapperTest, ARowWithoutAKeyHasNoEntry) {
  const auto none = mapper(rule("s:{note}")).entry({text("7"), text("1"), kNull, kNull}, "old");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(RowMapperTest, RefusesRowsThatCannotBe) {
  const RowMapper one = mapper(rule("s:{nr}", {}, "at"));
  EXPECT_EQ(one.entry({text("7")}, std::nullopt).code(), Code::kInvalidArgument);
  EXPECT_EQ(one.identity({}).code(), Code::kInvalidArgument);
  EXPECT_EQ(one.identity({kUnchanged, kNull, kNull, kNull}).code(), Code::kInvalidArgument);
  EXPECT_EQ(one.entry({text("7"), text("1"), kNull, text("soon")}, "").code(),
            Code::kInvalidArgument);
  EXPECT_EQ(one.entry({text("7"), text(std::string(600, 'k')), kNull, kNull}, "").code(),
            Code::kInvalidArgument);
}

TEST(RowMapperTest, RefusesRulesThatDoNotFitTheTable) {
  EXPECT_EQ(RowMapper::make(rule("s:{absent}"), columns(), false).code(), Code::kInvalidArgument);
  EXPECT_EQ(RowMapper::make(rule("s:{nr}", {Kind::kColumn, "absent"}), columns(), false).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(RowMapper::make(rule("s:{nr}", {}, "absent"), columns(), false).code(),
            Code::kInvalidArgument);
  std::vector<TableColumn> no_identity = columns();
  no_identity.front().identity = false;
  EXPECT_EQ(RowMapper::make(rule("s:{nr}"), no_identity, false).code(), Code::kInvalidArgument);
  EXPECT_TRUE(RowMapper::make(rule("s:{nr}"), no_identity, true));
}

TEST(RowMapperTest, IdentitiesAreEqualOnlyIfTheirColumnsAre) {
  const RowMapper key = mapper(rule("s:{nr}"));
  EXPECT_EQ(*key.identity({text("7"), text("a"), kUnchanged, kNull}),
            *key.identity({text("7"), text("b"), kNull, kNull}));
  const RowMapper whole = mapper(rule("s:{nr}"), true);
  EXPECT_NE(*whole.identity({text("7"), text("ab"), text(""), kNull}),
            *whole.identity({text("7"), text("a"), text("b"), kNull}));
  EXPECT_NE(*whole.identity({text("7"), text(""), kNull, kNull}),
            *whole.identity({text("7"), kNull, text(""), kNull}));
  EXPECT_NE(*whole.identity({text("7"), text("1:a;"), kNull, kNull}),
            *whole.identity({text("7"), text("1"), text("a"), kNull}));
}

// Whatever the other columns hold, one that is not sent is taken over byte by byte.
TEST(RowMapperTest, TakesUnchangedColumnsFromTheStoredValue) {
  const JsonType json{JsonForm::kJson}, number{JsonForm::kNumber};
  const std::vector<TableColumn> columns{{{"id", number}, true},
                                         {{"a\"b\\:,{", {}}, false},
                                         {{"big", number}, false},
                                         {{"j", json}, false},
                                         {{"list", array_of({})}, false},
                                         {{"last", json}, false}};
  const auto made = RowMapper::make(rule("s:{id}"), columns, false);
  ASSERT_TRUE(made);
  const std::vector<std::vector<Field>> rows{
      {text("1"),
       text("x"),
       text("12345678901234567890123456789.10"),
       text("{}"),
       text("{}"),
       text("1")},
      {text("1"),
       text("\",\"big\":5,\\\"}{"),
       text("NaN"),
       text(" {\"big\" : [1, {\"x\":\"]}\\\"\"}] } "),
       text("{\"a,}\",\"[\"}"),
       text(" \"t\" ")},
      {text("1"), kNull, kNull, text("\n5 "), kNull, text(" [ 1 , 2 ] ")}};
  for (const std::vector<Field>& row : rows) {
    const auto whole = made->entry(row, std::nullopt);
    ASSERT_TRUE(whole) << whole.error().to_string();
    for (std::uint32_t mask = 0; mask < 1U << columns.size(); mask += 2) {
      std::vector<Field> sent = row;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if ((mask >> i & 1U) != 0) sent[i] = kUnchanged;
      }
      const auto merged = made->entry(sent, (*whole)->value);
      ASSERT_TRUE(merged) << merged.error().to_string() << " " << (*whole)->value;
      EXPECT_EQ((*merged)->value, (*whole)->value);
    }
  }
}

TEST(RowMapperTest, SaysThatAnUnchangedColumnIsNowhere) {
  const std::vector<Field> row{text("7"), text("1"), kUnchanged, kNull};
  for (const char* stored : {"", "{", "{\"id\":7}", "{\"note\"", "[1]", "{\"noted\":1}"}) {
    EXPECT_EQ(mapper(rule("s:{nr}")).entry(row, stored).code(), Code::kNotFound) << stored;
  }
  EXPECT_EQ(mapper(rule("s:{nr}")).entry(row, std::nullopt).code(), Code::kNotFound);
  EXPECT_EQ(mapper(rule("s:{note}")).entry(row, "{\"note\":1}").code(), Code::kNotFound);
  const RowMapper column = mapper(rule("s:{nr}", {Kind::kColumn, "note"}));
  EXPECT_EQ((*column.entry(row, "as it was"))->value, "as it was");
  EXPECT_EQ(column.entry(row, std::nullopt).code(), Code::kNotFound);
}

TEST(RowMapperTest, KnowsWhetherARowHasExpired) {
  const RowMapper one = mapper(rule("s:{nr}", {}, "at"));
  const std::vector<Field> row{
      text("7"), text("12431"), kUnchanged, text("2026-11-24 14:33:35.5+00")};
  EXPECT_TRUE(*one.has_expired(row, 1'795'530'815'500));
  EXPECT_FALSE(*one.has_expired(row, 1'795'530'815'499));
  EXPECT_FALSE(*mapper(rule("s:{nr}")).has_expired(row, 1'795'530'815'500));
  EXPECT_EQ(one.has_expired({text("7")}, 0).code(), Code::kInvalidArgument);
}

TEST(RowMapperTest, AnUnchangedColumnOfTheKeyIsReadFromTheKeyBefore) {
  const RowMapper one = mapper(rule("s:{note}:{nr}", {Kind::kConstant, "1"}));
  const std::vector<Field> row{text("7"), text("5"), kUnchanged, kNull};
  EXPECT_EQ(one.key(row).code(), Code::kNotFound);
  EXPECT_EQ(one.key(row, "s:a:b:4").code(), Code::kNotFound) << "both columns are text";
  const RowMapper number = mapper(rule("s:{note}:{id}", {Kind::kConstant, "1"}));
  EXPECT_EQ(number.key(row, "s:a:b:7").code(), Code::kNotFound) << "the shape is not known here";
  const RowMapper single = mapper(rule("s:{note}", {Kind::kConstant, "1"}));
  EXPECT_EQ(**single.key(row, "s:a:b"), "s:a:b");
  EXPECT_EQ((*single.entry(row, std::nullopt, "s:a:b"))->key, "s:a:b");
}

TEST(RowMapperTest, ReadsTimestamps) {
  const struct {
    const char* text;
    std::optional<std::int64_t> ms;
  } good[] = {{"1970-01-01 00:00:00+00", 0},
              {"1970-01-01 00:00:00.001", 1},
              {"1969-12-31 23:59:59.9999", -1},
              {"2026-11-24 14:33:35.123456+00", 1'795'530'815'123},
              {"2024-02-29 24:00:00", 1'709'251'200'000},
              {"infinity", std::nullopt},
              {"-infinity", 0},
              {"0044-03-15 12:00:00 BC", 0}};
  for (const auto& one : good) {
    const auto parsed = parse_timestamp_ms(one.text);
    ASSERT_TRUE(parsed) << one.text;
    EXPECT_EQ(*parsed, one.ms) << one.text;
  }
  EXPECT_GT(**parse_timestamp_ms("294276-12-31 23:59:59"), 800'000'000'000'000);
  for (const char* bad : {"",
                          "soon",
                          "2026-11-24",
                          "2026-11-24 14:33",
                          "2026-11-24T14:33:35",
                          "2026-13-01 00:00:00",
                          "2026-02-30 00:00:00",
                          "2026-11-24 25:00:00",
                          "2026-11-24 14:33:35+02",
                          "2026-11-24 14:33:35.",
                          "-2026-11-24 14:33:35",
                          "99999999999-01-01 00:00:00"}) {
    EXPECT_EQ(parse_timestamp_ms(bad).code(), Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace edged::mirror
