// SPDX-License-Identifier: Apache-2.0
// What of the catalogue changes a shape, and what does not; and how the change is named.
#include "worker/mirror/shape.h"

#include <gmock/gmock.h>

#include "tests/worker/mirror/catalogue_fixture.h"

namespace edged::mirror {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ShapeTest : public CatalogueFixture {
 protected:
  void SetUp() override {
    sql("create type mood as enum ('sad', 'glad'); create type pair as (x int, m mood);"
        "create domain pairs as pair[]; create type span as range (subtype = mood);"
        "create table t(id int primary key, v varchar(10), m mood);"
        "create table deep(id int primary key, p pairs, s span);"
        "create table plain(id int primary key);"
        "create table pt(id int primary key, v text) partition by range (id);"
        "create table pt_a partition of pt for values from (0) to (10);"
        "create table pt_b partition of pt for values from (10) to (20) partition by range (id);"
        "create table pt_b1 partition of pt_b for values from (10) to (20);"
        "insert into pt select i, 'v' || i from generate_series(0, 19) i;"
        "create publication p for table t, deep, plain, pt with (publish_via_partition_root = "
        "true)");
    for (const char* table : {"t", "deep", "plain", "pt"}) {
      rules_.push_back(rule_of(table, std::string(table) + ":{id}"));
    }
  }

  std::string shape() {
    const auto used = pool();
    const auto shape = test::run_awaitable(io_, read_shape(*used, rules_, "p"));
    EXPECT_TRUE(shape) << shape.error().to_string();
    return shape ? shape->text : "";
  }
  // How what the statements change is named; empty: nothing has changed.
  std::string change_by(const std::string& statements) { return change_by_each({statements}); }
  std::string change_by_each(const std::vector<std::string>& all) {
    const std::string before = shape();
    for (const std::string& statements : all) sql(statements);
    return describe_shape_change(before, shape());
  }

  std::vector<Rule> rules_;
};

TEST_F(ShapeTest, StaysWhileOnlyRowsChange) {
  EXPECT_THAT(change_by_each({"insert into t values (1, 'a', 'sad'); update pt set v = 'x';"
                              "delete from pt where id = 11; truncate t; analyze",
                              "vacuum"}),
              IsEmpty());
  EXPECT_THAT(change_by_each({"vacuum full t",
                              "cluster t using t_pkey",
                              "reindex table pt_a",
                              "create index on pt (v); grant select on pt_a to public"}),
              IsEmpty())
      << "an ordinary table's truncates are in its stream, so its files do not matter";
  EXPECT_THAT(
      change_by(
          "create table other(id int primary key); alter publication p add table other;"
          "create type other_mood as enum ('x'); alter type other_mood rename value 'x' to 'y'"),
      IsEmpty())
      << "other tables, and types that no mirrored table uses";
}

TEST_F(ShapeTest, NoticesTheTruncationOfAPartition) {
  const std::string named = "a partition of table public.pt was truncated, or rewritten";
  EXPECT_THAT(change_by("truncate pt_a"), HasSubstr(named));
  EXPECT_THAT(change_by("truncate pt_b"), HasSubstr(named)) << "a sub-partitioned one";
  EXPECT_THAT(change_by("truncate pt_b1"), HasSubstr(named));
  EXPECT_THAT(change_by("begin; create temp table kept as select * from pt_a; truncate pt_a;"
                        "insert into pt_a select * from kept; commit"),
              HasSubstr(named))
      << "refilled in the same transaction";
  EXPECT_THAT(change_by("alter table pt_a set unlogged; alter table pt_a set logged"),
              HasSubstr(named))
      << "changes of an unlogged table are not in the log";
}

TEST_F(ShapeTest, NoticesPartitionsThatComeAndGo) {
  const std::string named = "partitions of table public.pt were attached, detached or altered";
  EXPECT_THAT(change_by("create table pt_c partition of pt for values from (20) to (30)"),
              HasSubstr(named));
  EXPECT_THAT(change_by("alter table pt detach partition pt_c;"
                        "alter table pt attach partition pt_c for values from (20) to (30)"),
              HasSubstr(named))
      << "rows may have changed in between";
  EXPECT_THAT(change_by("alter table pt_c replica identity full"), HasSubstr(named));
  EXPECT_THAT(change_by("drop table pt_c"), HasSubstr(named));
}

TEST_F(ShapeTest, NoticesWhatATypePrints) {
  const auto named = [](const std::string& table) {
    return HasSubstr("a type of a column of table public." + table + " was altered");
  };
  const std::string renamed = change_by("alter type mood rename value 'sad' to 'blue'");
  EXPECT_THAT(renamed, named("t"));
  EXPECT_THAT(renamed, named("deep")) << "in a range, and in a domain of arrays of a composite";
  EXPECT_THAT(renamed, Not(HasSubstr("public.plain")));
  EXPECT_THAT(
      change_by(
          "alter type mood rename value 'blue' to 'x'; alter type mood rename value 'x' to 'blue'"),
      named("t"))
      << "even if it was taken back";
  EXPECT_THAT(change_by("alter type pair rename attribute x to y"), named("deep"));
  EXPECT_THAT(change_by("alter type pair add attribute more int"), named("deep"));
  sql("create function mood_json(mood) returns json language sql as 'select to_json(1)'");
  EXPECT_THAT(change_by("create cast (mood as json) with function mood_json(mood)"), named("t"));
}

TEST_F(ShapeTest, NoticesWhatATableIs) {
  const std::string named = "table public.t was altered or created anew";
  EXPECT_THAT(change_by("alter table t add column more int"), HasSubstr(named));
  EXPECT_THAT(change_by("alter table t alter column v type varchar(20)"), HasSubstr(named));
  EXPECT_THAT(change_by("alter table t rename column v to w; alter table t rename column w to v"),
              HasSubstr(named));
  EXPECT_THAT(change_by("alter table t replica identity full"), HasSubstr(named));
  EXPECT_THAT(change_by("create table child() inherits (t)"), HasSubstr(named));
  EXPECT_THAT(change_by("drop table child; alter table t rename to gone"), HasSubstr(named));
}

TEST_F(ShapeTest, NoticesWhatThePublicationSends) {
  EXPECT_THAT(change_by("alter publication p set (publish = 'insert')"),
              HasSubstr("the publication was altered or created anew. Its owner may have"));
  EXPECT_THAT(change_by("alter publication p drop table t; alter publication p add table t"),
              HasSubstr("a mirrored table was added to the publication or removed from it"));
  EXPECT_THAT(change_by("drop publication p"), HasSubstr("the publication was altered"));
}

TEST(ShapeChangeTest, IsToldOfShapesThatAreNotOurs) {
  EXPECT_THAT(describe_shape_change("x", "y"), HasSubstr("another version of edged"));
  EXPECT_THAT(describe_shape_change("", "{}"), HasSubstr("another version of edged"));
  EXPECT_THAT(describe_shape_change("x", "x"), IsEmpty());
}

}  // namespace
}  // namespace edged::mirror
