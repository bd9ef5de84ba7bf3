// SPDX-License-Identifier: Apache-2.0
// Rows as JSON: PostgreSQL's own row_to_json() is the oracle.
#include "worker/mirror/row_json.h"

#include <gtest/gtest.h>

#include "tests/support/postgres_cluster.h"

namespace edged::mirror {
namespace {

using test::PostgresCluster;

// Literals of each type, as SQL.
constexpr const char* kValues[] = {
    "true",
    "false",
    "null::bool",
    "'{t,f,NULL}'::bool[]",
    "1::int2",
    "(-2147483648)::int4",
    "9223372036854775807::int8",
    "'{1,-2,NULL}'::int8[]",
    "1.5::float4",
    "'NaN'::float8",
    "'-Infinity'::float8",
    "1e300::float8",
    "1e-7::float8",
    "'{1.5,NaN}'::float8[]",
    "0.1::numeric",
    "123456789012345678901234567890.123::numeric",
    "'NaN'::numeric",
    "(-0.00)::numeric(5,2)",
    "'{1.10,2}'::numeric[]",
    "''::text",
    "E'a\"b\\\\c\\n\\t\\x01/é世'::text",
    "'x'::varchar(3)",
    "'x'::char(3)",
    "'n'::name",
    "'{}'::text[]",
    "E'{a,\"b c\",NULL,\"NULL\",\"\",\"q\\\\\"x\",\"b\\\\\\\\s\"}'::text[]",
    "'{{1,2},{3,NULL}}'::int[]",
    "'[0:1]={7,8}'::int[]",
    "'{{{a}},{{b}}}'::text[]",
    "'2026-11-24'::date",
    "'infinity'::date",
    "'{2026-11-24,NULL}'::date[]",
    "'2026-11-24 14:33:35'::timestamp",
    "'2026-11-24 14:33:35.123456'::timestamp",
    "'infinity'::timestamp",
    "'0044-03-15 12:00:00 BC'::timestamp",
    "'2026-11-24 14:33:35+00'::timestamptz",
    "'2026-11-24 14:33:35.5-07'::timestamptz",
    "'-infinity'::timestamptz",
    "'0044-03-15 12:00:00+00 BC'::timestamptz",
    "'{\"2026-11-24 14:33:35+00\",NULL}'::timestamptz[]",
    "'{\"2026-11-24 14:33:35\"}'::timestamp[]",
    "'14:33:35'::time",
    "'14:33:35+02'::timetz",
    "'1 day 02:03:04'::interval",
    "'d9c733e0-3be6-e46e-6b8b-a255db9899cf'::uuid",
    "'{d9c733e0-3be6-e46e-6b8b-a255db9899cf}'::uuid[]",
    "'{\"a\": [1,  2]}'::json",
    "'{\"b\":1,\"a\":null}'::jsonb",
    "'null'::jsonb",
    "array['{\"a\":1}'::jsonb, null]",
    "array['[1]'::json]",
    "'\\xdeadbeef'::bytea",
    "12::oid",
    "'10.0.0.1'::inet",
    "'c'::\"char\""};

class RowJsonTest : public testing::Test {
 protected:
  // The built-in types of kValues: arrays of scalars, and scalars.
  static JsonType type_of(std::uint32_t oid, std::uint32_t element) {
    if (element == 0) return JsonType{scalar_json_form(oid)};
    return array_of(JsonType{scalar_json_form(element)});
  }
  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
};

TEST_F(RowJsonTest, AgreesWithPostgres) {
  for (const char* value : kValues) {
    const std::string sql =
        std::string(
            "set timezone = 'UTC'; set datestyle = 'ISO'; "
            "select case when v is not null then format('%s', v) end, row_to_json(t)::text, "
            "pg_typeof(v)::oid, (select case when typcategory = 'A' then typelem else 0 end "
            "from pg_type where oid = pg_typeof(v)) from (select ") +
        value + " as v) t";
    const auto rows = cluster_.query(database_, sql);
    ASSERT_EQ(rows.size(), 1u) << value;
    const JsonType type = type_of(static_cast<std::uint32_t>(std::stoul(*rows[0][2])),
                                  static_cast<std::uint32_t>(std::stoul(*rows[0][3])));
    RowField field;
    if (rows[0][0]) field.text = *rows[0][0];
    const auto json = row_to_json({{"v", type}}, {field});
    ASSERT_TRUE(json) << value << ": " << json.error().to_string();
    EXPECT_EQ(*json, *rows[0][1]) << value;
  }
}

TEST_F(RowJsonTest, EscapesEachCharacterAsPostgresDoes) {
  std::string text;
  for (char c = 1; c < 0x7F; ++c) text += c;
  text += "\x7F\u00e9\u4e16";
  const auto rows = cluster_.query(
      database_,
      "select v, row_to_json(t)::text from (select string_agg(chr(i), '' order by i) || "
      "chr(233) || chr(19990) as v from generate_series(1, 127) i) t");
  EXPECT_EQ(*rows[0][0], text);
  EXPECT_EQ(*row_to_json({{"v", {}}}, {{*rows[0][0]}}), *rows[0][1]);
}

TEST(RowJsonTextTest, RefusesWhatNoTypeWrites) {
  const JsonType array = array_of({});
  for (const char* text :
       {"", "{", "}", "{a", "{\"a}", "{a}b", "{{a}", "[0:1]", "{{{{{{{a}}}}}}}", "{a{b}"}) {
    EXPECT_EQ(to_json(text, array).code(), Code::kInvalidArgument) << text;
  }
  EXPECT_EQ(to_json("maybe", JsonType{JsonForm::kBoolean}).code(), Code::kInvalidArgument);
  const JsonType pair = composite_of({{"a", {}}, {"b", {}}});
  for (const char* text : {"", "(", "(a,b", "(a)", "(a,b,c)", "(a,b)c", "(\"a,b)", "a,b"}) {
    EXPECT_EQ(to_json(text, pair).code(), Code::kInvalidArgument) << text;
  }
  JsonType numbers = array_of(JsonType{JsonForm::kNumber});
  numbers.form = JsonForm::kVector;
  EXPECT_EQ(to_json("1  2", numbers).code(), Code::kInvalidArgument);
  const auto failed = row_to_json({{"open", JsonType{JsonForm::kBoolean}}}, {{"x"}});
  EXPECT_NE(failed.error().message().find("column \"open\""), std::string::npos);
  EXPECT_EQ(row_to_json({{"a", {}}}, {}).code(), Code::kInvalidArgument);
}

TEST(RowJsonTextTest, NamesNullsAndComposites) {
  const auto json = row_to_json({{"a\"b", {}}, {"n", JsonType{JsonForm::kNumber}}}, {{"x"}, {}});
  ASSERT_TRUE(json);
  EXPECT_EQ(*json, "{\"a\\\"b\":\"x\",\"n\":null}");
  EXPECT_EQ(*row_to_json({}, {}), "{}");
  const JsonType pair = composite_of({{"a", JsonType{JsonForm::kNumber}}, {"b", {}}});
  EXPECT_EQ(*to_json("(1,\"x, \"\"y\"\"\")", pair), R"({"a":1,"b":"x, \"y\""})");
  EXPECT_EQ(*to_json("(,\"\")", pair), R"({"a":null,"b":""})");
  EXPECT_EQ(*to_json("()", composite_of({})), "{}");
  EXPECT_EQ(*to_json("{(2,1),(1,0);NULL}", array_of({}, ';')), "[\"(2,1),(1,0)\",null]");
}

}  // namespace
}  // namespace edged::mirror
