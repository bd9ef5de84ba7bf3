// SPDX-License-Identifier: Apache-2.0
// Every type of PostgreSQL, by load and by stream: the row's JSON is that of row_to_json(), or the
// rule is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/worker/mirror/mirror_run_fixture.h"

namespace edged::mirror {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Sample {
  const char* type;
  std::vector<const char*> texts;  // input of the type
};

// One for each type of pg_type that can be a column's and is not refused.
const std::vector<Sample>& samples() {
  static const std::vector<Sample> all{
      {"bool", {"t", "f"}},
      {"bytea", {"\\xdeadbeef", ""}},
      {"\"char\"", {"c", "", "\\377"}},
      {"name", {"n", "a b"}},
      {"int8", {"-9223372036854775808", "9223372036854775807"}},
      {"int2", {"-1", "32767"}},
      {"int2vector", {"1 -2 3", ""}},
      {"int4", {"0", "-2147483648"}},
      {"text", {"", "a\"b\\c\n\t/\x01", "NULL", "null", "{}", "(,)", "é世", " ", "a,b;c"}},
      {"oid", {"12"}},
      {"tid", {"(1,2)"}},
      {"xid", {"12"}},
      {"cid", {"12"}},
      {"oidvector", {"1 2", ""}},
      {"json", {"{\"a\": [1,  2]}", " null", "\"x\\u00e9\"", "1.0e5"}},
      {"xml", {"<a b=\"1\">x &amp; y</a>", ""}},
      {"xid8", {"12"}},
      {"point", {"(1,-2.5)"}},
      {"lseg", {"[(1,2),(3,4)]"}},
      {"path", {"[(1,2),(3,4)]", "((1,2),(3,4))"}},
      {"box", {"(3,4),(1,2)"}},
      {"polygon", {"((1,2),(3,4),(5,6))"}},
      {"line", {"{1,2,3}"}},
      {"float4", {"1.5", "NaN", "-Infinity", "1e-7", "-0"}},
      {"float8", {"0.1", "NaN", "Infinity", "1e300", "-0", "5e-324"}},
      {"circle", {"<(1,2),3>"}},
      {"macaddr", {"08:00:2b:01:02:03"}},
      {"inet", {"10.0.0.1", "::1/64"}},
      {"cidr", {"10.0.0.0/8"}},
      {"macaddr8", {"08:00:2b:01:02:03:04:05"}},
      {"bpchar", {"x", "x  ", ""}},
      {"char(5)", {"ab", ""}},
      {"varchar", {"x", "x  "}},
      {"date", {"2026-11-24", "infinity", "0044-03-15 BC", "20000-01-01"}},
      {"time", {"14:33:35.5", "24:00:00"}},
      {"timestamp",
       {"2026-11-24 14:33:35",
        "2026-11-24 14:33:35.123456",
        "infinity",
        "0044-03-15 12:00:00 BC",
        "20000-01-01 00:00:00"}},
      {"timestamptz",
       {"2026-11-24 14:33:35.5-07",
        "-infinity",
        "0044-03-15 12:00:00+00 BC",
        "20000-01-01 00:00:00+00"}},
      {"interval", {"1 day 02:03:04", "-1 year -2 mons", "00:00:00", "1 mon -1 day"}},
      {"timetz", {"14:33:35+02", "14:33:35-02:30"}},
      {"bit(3)", {"101"}},
      {"varbit", {"10101", ""}},
      {"numeric", {"0.10", "123456789012345678901234567890.123", "NaN", "Infinity", "-1e-10"}},
      {"refcursor", {"cursor"}},
      {"uuid", {"d9c733e0-3be6-e46e-6b8b-a255db9899cf"}},
      {"txid_snapshot", {"10:20:12,15"}},
      {"pg_snapshot", {"10:20:12,15"}},
      {"pg_lsn", {"16/B374D848"}},
      {"tsvector", {"'a':1A 'b c':2", ""}},
      {"gtsvector", {}},
      {"tsquery", {"'a' & !'b'", ""}},
      {"jsonb", {"{\"b\":1,\"a\":[null, 1.50]}", "null", "\"x\""}},
      {"jsonpath", {"$.\"a\"[*]"}},
      {"int4range", {"[1,5)", "empty", "(,)"}},
      {"numrange", {"(1.5,2.50]"}},
      {"tsrange", {"[\"2026-01-01 00:00:00\",infinity)"}},
      {"tstzrange", {"[\"2026-01-01 00:00:00+02\",)"}},
      {"daterange", {"[2026-01-01,2026-02-01)"}},
      {"int8range", {"[1,5)"}},
      {"int4multirange", {"{[1,5),[7,9)}", "{}"}},
      {"nummultirange", {"{(1.5,2.50]}"}},
      {"tsmultirange", {"{[\"2026-01-01 00:00:00\",infinity)}"}},
      {"tstzmultirange", {"{[\"2026-01-01 00:00:00+02\",)}"}},
      {"datemultirange", {"{[2026-01-01,2026-02-01)}"}},
      {"int8multirange", {"{[1,5)}"}},
      {"mood", {"sad", "very \"glad\"", ""}},
      {"places", {"7"}},
      {"title", {"a b"}},
      {"words", {"{a,\"b c\"}"}},
      {"pair", {"(1,x)", "(,\"a, \"\"b\"\"\")", "(3,)"}},
      {"nested",
       {"(\"(1,\"\"a \"\"\"\"b\"\"\"\"\"\")\",\"{\"\"(2,y)\"\",NULL}\",\"{\"\"a\"\":1}\","
        "\"2026-11-24 14:33:35+00\",t)"}}};
  return all;
}

const char kUserTypes[] =
    "create type mood as enum ('sad', 'very \"glad\"', ''); create domain seats as int check "
    "(value >= 0);"
    "create domain places as seats; create domain title as text; create domain words as text[];"
    "create type pair as (a int, b text);"
    "create type nested as (p pair, ps pair[], j json, at timestamptz, ok bool)";

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

class TypesTest : public MirrorRunFixture {
 protected:
  // A column for each type and for each type's array.
  void create() {
    sql(kUserTypes);
    std::string columns;
    for (std::size_t i = 0; i < samples().size(); ++i) {
      const std::string n = std::to_string(i), type = samples()[i].type;
      columns += ", c" + n + " " + type + ", a" + n + " " + type + "[]";
    }
    sql("create table t (id int primary key" + columns + ")");
  }
  // As many rows as the longest list of samples, with ids from `first` on, and some of only nulls
  // and unusual arrays.
  void insert(int first) {
    std::size_t longest = 0;
    for (const Sample& one : samples()) longest = std::max(longest, one.texts.size());
    for (std::size_t row = 0; row < longest; ++row) {
      std::string values = std::to_string(first + static_cast<int>(row));
      for (const Sample& one : samples()) values += values_of(one, row);
      sql("insert into t values (" + values + ")");
    }
    sql("insert into t (id) values (" + std::to_string(first + 90) + ")");
    sql("insert into t (id, a7, a8) values (" + std::to_string(first + 91) +
        ", '[0:1]={7,8}', '[2:3][-1:0]={{a,b},{NULL,\"NULL\"}}')");
    std::string empty;
    for (std::size_t i = 0; i < samples().size(); ++i) empty += ", '{}'";
    std::string names;
    for (std::size_t i = 0; i < samples().size(); ++i) names += ", a" + std::to_string(i);
    sql("insert into t (id" + names + ") values (" + std::to_string(first + 92) + empty + ")");
  }
  static std::string values_of(const Sample& one, std::size_t row) {
    if (one.texts.empty()) return ", null, null";
    const std::string text = quoted(one.texts[row % one.texts.size()]);
    const std::string type = one.type;
    const std::string value = text + "::" + type;
    std::string array = "array[" + value + ", null, " + value + "]::" + type + "[]";
    // An array of arrays has no type of its own: it becomes one with two dimensions.
    if (type == "words") array = "array[" + value + "]";
    if (row % 3 == 1 && type != "words") {
      array = "array[[" + value + ", null], [null, " + value + "]]::" + type + "[]";
    }
    return ", " + value + ", " + array;
  }
  Entries table() { return expected("select 't:' || id, row_to_json(t)::text from t"); }
  void compare(const char* where) {
    const Entries found = entries("t:"), wanted = table();
    for (const auto& [key, value] : wanted) {
      const auto one = found.find(key);
      ASSERT_NE(one, found.end()) << key << " " << where;
      EXPECT_EQ(one->second, value) << key << " " << where;
    }
    EXPECT_EQ(found.size(), wanted.size());
  }
  std::vector<std::string> complaints(const Rule& rule) {
    db::PgPoolOptions options;
    options.url = cluster_.url(database_);
    MetricsRegistry metrics;
    db::PgPool pool(io_.get_executor(), options, metrics);
    const std::vector<Rule> rules{rule};
    auto catalogue = test::run_awaitable(io_, read_catalogue(pool, rules));
    EXPECT_TRUE(catalogue) << catalogue.error().to_string();
    return catalogue ? catalogue->complaints : std::vector<std::string>{};
  }
};

TEST_F(TypesTest, TheSamplesCoverEachType) {
  // Those that nobody can put into a column, and those whose text depends on other objects' names
  // or on the session.
  const std::set<std::string> others{"pg_node_tree",
                                     "pg_ndistinct",
                                     "pg_dependencies",
                                     "pg_mcv_list",
                                     "pg_brin_bloom_summary",
                                     "pg_brin_minmax_multi_summary",
                                     "money",
                                     "regproc",
                                     "regprocedure",
                                     "regoper",
                                     "regoperator",
                                     "regclass",
                                     "regtype",
                                     "regrole",
                                     "regnamespace",
                                     "regconfig",
                                     "regdictionary",
                                     "regcollation",
                                     "aclitem"};
  std::set<std::string> covered = others;
  for (const Sample& one : samples()) {
    std::string name = one.type;
    if (name.front() == '"') name = name.substr(1, name.size() - 2);
    covered.insert(name.substr(0, name.find('(')));
  }
  for (const test::Row& row :
       sql("select t.typname from pg_type t where t.typtype in ('b', 'r', 'm') and t.oid < 16384 "
           "and not exists (select from pg_type e where e.typarray = t.oid)")) {
    EXPECT_TRUE(covered.contains(*row[0])) << *row[0];
  }
}

TEST_F(TypesTest, RowsAreWhatRowToJsonMakesOfThem) {
  create();
  insert(1);
  start({rule_of("t", "t:{id}")});
  compare("by load");
  insert(101);
  compare("by stream");
  sql("update t set id = id + 1000");
  compare("by update");
  EXPECT_EQ(loads(), 1U);
}

TEST_F(TypesTest, WholeRowsAsIdentityAreNoDifferent) {
  create();
  sql("alter table t replica identity full");
  insert(1);
  start({rule_of("t", "t:{id}")});
  sql("update t set id = id + 1000 where id < 5; delete from t where id = 5");
  compare("by update");
}

// What the role and the database are set to does not show.
TEST_F(TypesTest, TheSettingsOfTheDatabaseDoNotMatter) {
  create();
  insert(1);
  const Entries before = table();
  sql("alter database \"" + database_ +
      "\" set timezone = 'Asia/Tokyo';"
      "alter database \"" +
      database_ +
      "\" set datestyle = 'German';"
      "alter database \"" +
      database_ + "\" set intervalstyle = 'iso_8601'");
  start({rule_of("t", "t:{id}")});
  EXPECT_EQ(entries("t:"), before);
}

TEST_F(TypesTest, ATypeThatMakesItsOwnJsonIsRefused) {
  sql("create type tone as enum ('high', 'low');"
      "create function tone_json(tone) returns json language sql as $$ select '1'::json $$;"
      "create cast (tone as json) with function tone_json(tone);"
      "create domain tones as tone[]; create type chord as (name text, parts tones);"
      "create table a (id int primary key, v tone); create table b (id int primary key, v tones);"
      "create table c (id int primary key, v chord[])");
  for (const char* table : {"a", "b", "c"}) {
    EXPECT_THAT(complaints(rule_of(table, "k:{id}")),
                ElementsAre(HasSubstr("row_to_json() calls a cast function for tone")))
        << table;
    EXPECT_THAT(complaints(rule_of(table, "k:{id}", {RowValue::Kind::kColumn, "v"})), IsEmpty());
  }
}

}  // namespace
}  // namespace edged::mirror
