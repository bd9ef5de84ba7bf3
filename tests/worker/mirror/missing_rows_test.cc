// SPDX-License-Identifier: Apache-2.0
// Rows that the stream does not tell in full and the node does not have: they are read one by one,
// and no table is loaded anew.
#include <gtest/gtest.h>

#include "tests/worker/mirror/mirror_run_fixture.h"

namespace edged::mirror {
namespace {

class MissingRowsTest : public MirrorRunFixture {
 protected:
  // notes(id, name, n, big, expires_at), whose large column is stored out of line.
  void notes(const std::string& key,
             RowValue value = {},
             const std::string& expires = "expires_at") {
    sql("create table notes (id int primary key, name text unique, n int, big text, expires_at "
        "timestamptz); alter table notes alter column big set storage external;"
        "insert into notes values (1, 'a', 1, repeat('x', 5000), now() - interval '1 day'), "
        "(2, 'b', 1, repeat('y', 5000), now() + interval '1 day')");
    Rule rule = rule_of("notes", key, std::move(value));
    rule.expires = expires;
    start({rule});
  }
  // As if the entries had expired.
  void lose(const std::string& prefix) {
    stop();
    Applier applier(io_.get_executor(), *client_, ns_);
    ASSERT_TRUE(test::run_awaitable(io_, applier.take_over("test")));
    ASSERT_TRUE(test::run_awaitable(io_, applier.remove_all(prefix, Applier::kAnyVersion)).ok());
    restart();
    EXPECT_EQ(entries(prefix), Entries{});
  }
  Entries rows(const std::string& key) {
    return expected("select 'n:' || " + key +
                    ", row_to_json(t)::text from notes t where "
                    "expires_at > now()");
  }
};

TEST_F(MissingRowsTest, AnEntryThatHadExpiredComesBack) {
  for (const char* column : {"id", "name"}) {
    SCOPED_TRACE(column);
    sql("drop table if exists notes");
    notes(std::string("n:{") + column + "}");
    EXPECT_EQ(entries("n:"), rows(column)) << "one of the two has expired";
    sql("update notes set expires_at = now() + interval '1 hour' where id = 1");
    EXPECT_EQ(entries("n:"), rows(column));
    EXPECT_EQ(entries("n:").size(), 2U);
    sql("begin; update notes set expires_at = now() - interval '1 hour'; "
        "update notes set expires_at = now() + interval '1 hour', n = 2; commit");
    EXPECT_EQ(entries("n:"), rows(column));
    EXPECT_EQ(entries("n:").size(), 2U);
    const std::uint64_t before = loads();
    stop();
    for (int i = 0; i < 20; ++i) {
      sql("update notes set n = n + 1, expires_at = now() - interval '1 minute' where id = 1;"
          "update notes set n = n + 1, expires_at = now() + interval '1 hour' where id = 1");
    }
    restart();
    EXPECT_EQ(entries("n:"), rows(column));
    EXPECT_EQ(loads(), before) << "no table was loaded anew";
    stop();
  }
}

TEST_F(MissingRowsTest, AColumnThatIsTheValueComesBack) {
  notes("n:{name}", {RowValue::Kind::kColumn, "big"});
  sql("begin; update notes set n = 5 where id = 1; "
      "update notes set expires_at = now() + interval '1 hour' where id = 1; commit");
  EXPECT_EQ(entries("n:"), expected("select 'n:' || name, big from notes"));
  EXPECT_EQ(loads(), 1U);
}

TEST_F(MissingRowsTest, AKeyThatWasNullComes) {
  notes("n:{name}", {}, "");
  sql("update notes set name = null");
  EXPECT_EQ(entries("n:"), Entries{});
  sql("update notes set name = 'c' where id = 1");
  EXPECT_EQ(entries("n:"),
            expected("select 'n:c', row_to_json(t)::text from notes t where id = 1"));
  EXPECT_EQ(loads(), 1U);
}

// The fetched row is newer than the stream. The stream later sends changes that it already
// contains.
TEST_F(MissingRowsTest, WhatChangedMeanwhileIsNotSetBack) {
  notes("n:{name}");
  EXPECT_EQ(entries("n:"), rows("name"));
  stop();
  sql("update notes set expires_at = now() + interval '1 hour' where id = 1");
  sql("update notes set n = 2 where id = 1");
  sql("update notes set big = repeat('z', 6000) where id = 1");
  sql("update notes set name = 'moved' where id = 1");
  sql("insert into notes values (3, 'a', 7, repeat('w', 4000), now() + interval '1 hour')");
  sql("update notes set n = 8 where id = 3");
  sql("update notes set id = 9 where id = 2");
  sql("delete from notes where id = 9");
  restart();
  EXPECT_EQ(entries("n:"), rows("name"));
  sql("update notes set n = n + 1");
  EXPECT_EQ(entries("n:"), rows("name"));
  EXPECT_EQ(loads(), 1U);
}

TEST_F(MissingRowsTest, ARowThatIsGoneMeanwhileIsGone) {
  notes("n:{name}");
  EXPECT_EQ(entries("n:"), rows("name"));
  stop();
  sql("update notes set expires_at = now() + interval '1 hour' where id = 1");
  sql("delete from notes where id = 1");
  restart();
  EXPECT_EQ(entries("n:"), rows("name"));
  EXPECT_EQ(loads(), 1U);
}

// Keys are found by columns of any type and with any text.
TEST_F(MissingRowsTest, RowsAreFoundByTheirKeys) {
  sql("create type mood as enum ('sad', 'gl''ad'); create domain title as text; create table t ("
      "a title, b numeric, c mood, d timestamptz, e char(5), big text, n int, primary key (a, b, "
      "c, d, e));"
      "alter table t alter column big set storage external;"
      "insert into t values "
      "(E'x:\"\\\\{},y', 1.50, 'gl''ad', '2026-01-01 00:00:00.5+00', 'ab', repeat('x', 5000), 1),"
      "('', 'NaN', 'sad', 'infinity', '', repeat('y', 5000), 1),"
      "('NULL', -0.0, 'sad', '0044-03-15 12:00:00+00 BC', 'abcde', repeat('z', 5000), 1)");
  start({rule_of("t", "t:{a|uri}:{b}:{c|uri}:{d|uri}:{e}")});
  ASSERT_EQ(entries("t:").size(), 3U);
  lose("t:");
  sql("update t set n = 2");
  Entries found;
  for (const auto& [key, value] : entries("t:")) found[value] = key;
  for (const auto& row : sql("set timezone = 'UTC'; select row_to_json(t)::text from t")) {
    EXPECT_TRUE(found.contains(*row[0])) << *row[0];
  }
  EXPECT_EQ(found.size(), 3U);
  EXPECT_EQ(loads(), 1U);
}

// The schema of the type and of its operators is not in the search path.
TEST_F(MissingRowsTest, RowsAreFoundByTypesOfExtensions) {
  sql("create schema ext; create extension citext schema ext; create extension ltree schema ext;"
      "create table t (a ext.citext, b ext.ltree, n int, big text, primary key (a, b));"
      "alter table t alter column big set storage external;"
      "insert into t values ('Ab', 'x.y', 1, repeat('x', 5000)), ('cd', 'x', 1, repeat('y', "
      "5000))");
  start({rule_of("t", "t:{a|uri}:{b}")});
  const std::string all = "select 't:' || a::text || ':' || b::text, row_to_json(t)::text from t";
  EXPECT_EQ(entries("t:"), expected(all));
  lose("t:");
  sql("update t set n = 2; update t set a = 'aB' where a OPERATOR(ext.=) 'ab'");
  EXPECT_EQ(entries("t:"), expected(all));
  EXPECT_EQ(loads(), 1U);
}

TEST_F(MissingRowsTest, AKeyColumnThatIsStoredOutOfLineIsKnown) {
  // The row is larger than 2 kB, and only this column can be moved out of it.
  sql("create table t (id int primary key, name text unique, other text, n int);"
      "alter table t alter column name set storage external, alter column other set storage plain;"
      "insert into t values (1, repeat('k', 450), repeat('o', 1900), 1)");
  EXPECT_EQ(cluster_.value(database_,
                           "select pg_relation_size(reltoastrelid) > 0 from pg_class "
                           "where oid = 't'::regclass"),
            "t");
  start({rule_of("t", "t:{name}")});
  sql("update t set n = 2");
  EXPECT_EQ(entries("t:"), expected("select 't:' || name, row_to_json(t)::text from t"));
  EXPECT_EQ(loads(), 1U);
}

}  // namespace
}  // namespace edged::mirror
