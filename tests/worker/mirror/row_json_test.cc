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
  PostgresCluster& cluster_ = PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
};

TEST_F(RowJsonTest, AgreesWithPostgres) {
  for (const char* value : kValues) {
    const std::string sql =
        std::string(
            "set timezone = 'UTC'; set datestyle = 'ISO'; "
            "select case when v is not null then format('%s', v) end, row_to_json(t)::text, "
            "pg_typeof(v)::oid from (select ") +
        value + " as v) t";
    const auto rows = cluster_.query(database_, sql);
    ASSERT_EQ(rows.size(), 1u) << value;
    const auto type = builtin_json_type(static_cast<std::uint32_t>(std::stoul(*rows[0][2])));
    ASSERT_TRUE(type) << value << " is of type " << *rows[0][2];
    std::optional<std::string_view> text;
    if (rows[0][0]) text = *rows[0][0];
    const auto json = row_to_json({{"v", *type}}, {text});
    ASSERT_TRUE(json) << value << ": " << json.error().to_string();
    EXPECT_EQ(*json, *rows[0][1]) << value;
  }
}

TEST(RowJsonTextTest, RefusesWhatNoTypeWrites) {
  const JsonType array{JsonForm::kString, true};
  for (const char* text :
       {"", "{", "}", "{a", "{\"a}", "{a}b", "{{a}", "[0:1]", "{{{{{{{a}}}}}}}", "{a{b}"}) {
    EXPECT_EQ(to_json(text, array).code(), Code::kInvalidArgument) << text;
  }
  EXPECT_EQ(to_json("maybe", {JsonForm::kBoolean, false}).code(), Code::kInvalidArgument);
  const auto failed = row_to_json({{"open", {JsonForm::kBoolean, false}}}, {"x"});
  EXPECT_NE(failed.error().message().find("column open"), std::string::npos);
  EXPECT_EQ(row_to_json({{"a", {}}}, {}).code(), Code::kInvalidArgument);
}

TEST(RowJsonTextTest, NamesAndNulls) {
  const auto json =
      row_to_json({{"a\"b", {}}, {"n", {JsonForm::kNumber, false}}}, {"x", std::nullopt});
  ASSERT_TRUE(json);
  EXPECT_EQ(*json, "{\"a\\\"b\":\"x\",\"n\":null}");
  EXPECT_EQ(*row_to_json({}, {}), "{}");
  EXPECT_FALSE(builtin_json_type(600)) << "point";
}

}  // namespace
}  // namespace edged::mirror
