// SPDX-License-Identifier: Apache-2.0
#include "worker/mirror/publication.h"

#include <gmock/gmock.h>

#include "tests/worker/mirror/catalogue_fixture.h"

namespace edged::mirror {
namespace {

using test::run_awaitable;

class PublicationTest : public CatalogueFixture {
 protected:
  void SetUp() override {
    sql("create table a(id int primary key, v text); create table b(id int primary key);"
        "create schema \"Odd\"\"s\"; create table \"Odd\"\"s\".\"T t\"(id int primary key)");
  }
  Result<PublicationChange> ensure(const std::vector<std::string>& tables) {
    std::vector<Rule> rules;
    for (const std::string& table : tables) rules.push_back(rule_of(table, table + ":{id}"));
    const Catalogue catalogue = read(rules);
    EXPECT_THAT(catalogue.complaints, testing::IsEmpty());
    const auto used = pool();
    return run_awaitable(io_, ensure_publication(*used, kName, catalogue.tables));
  }
  Result<bool> drop() {
    const auto used = pool();
    return run_awaitable(io_, drop_publication(*used, kName));
  }
  std::string published() {
    return cluster_.value(database_,
                          "select string_agg(schemaname || '.' || tablename || ' ' || "
                          "attnames::text || coalesce(rowfilter, ''), ', ' order by "
                          "schemaname collate \"C\", tablename) from pg_publication_tables where "
                          "pubname = 'edged \"kv\"'");
  }

  static constexpr const char* kName = "edged \"kv\"";
  static constexpr const char* kQuoted = "\"edged \"\"kv\"\"\"";
};

TEST_F(PublicationTest, IsMadeOnceAndFollowsTheRules) {
  EXPECT_EQ(*ensure({"a"}), PublicationChange::kCreated);
  EXPECT_EQ(published(), "public.a {id,v}");
  EXPECT_EQ(*ensure({"a"}), PublicationChange::kNone);
  EXPECT_EQ(*ensure({"a", "Odd\"s.T t"}), PublicationChange::kAltered);
  EXPECT_EQ(*ensure({"Odd\"s.T t", "a"}), PublicationChange::kNone);
  EXPECT_EQ(published(), "Odd\"s.T t {id}, public.a {id,v}");
  EXPECT_EQ(*ensure({"b"}), PublicationChange::kAltered);
  EXPECT_EQ(published(), "public.b {id}");
}

TEST_F(PublicationTest, MendsWhatSendsTooLittle) {
  for (const char* spoil : {"set (publish = 'insert, update, delete')",
                            "set (publish_via_partition_root = false)",
                            "set table a where (id > 5)",
                            "set table a (id)",
                            "add table b",
                            "drop table a"}) {
    ASSERT_TRUE(ensure({"a"}));
    sql(std::string("alter publication ") + kQuoted + " " + spoil);
    EXPECT_EQ(*ensure({"a"}), PublicationChange::kAltered) << spoil;
    EXPECT_EQ(published(), "public.a {id,v}") << spoil;
    EXPECT_EQ(*ensure({"a"}), PublicationChange::kNone) << spoil;
  }
}

TEST_F(PublicationTest, LeavesWhatIsNotItsOwnAlone) {
  for (const char* kind : {"all tables", "tables in schema public"}) {
    sql(std::string("create publication ") + kQuoted + " for " + kind);
    const auto refused = ensure({"a"});
    EXPECT_EQ(refused.code(), Code::kConflict) << kind;
    EXPECT_TRUE(*drop());
  }
}

TEST_F(PublicationTest, PublishesAPartitionedTableAsOne) {
  sql("create table p(id int primary key) partition by range (id);"
      "create table p1 partition of p default");
  EXPECT_EQ(*ensure({"p"}), PublicationChange::kCreated);
  EXPECT_EQ(published(), "public.p {id}");
  EXPECT_EQ(*ensure({"p"}), PublicationChange::kNone);
}

TEST_F(PublicationTest, IsDroppedOnce) {
  ASSERT_TRUE(ensure({"a"}));
  EXPECT_TRUE(*drop());
  EXPECT_EQ(published(), "");
  EXPECT_FALSE(*drop());
}

TEST_F(PublicationTest, SaysThatTheRoleMayNot) {
  const std::string role = "r_" + database_;
  sql("create role \"" + role + "\" login password 'x'; grant select on a to \"" + role + "\"");
  url_ = cluster_.tcp_url(database_, role, "x");
  EXPECT_EQ(ensure({"a"}).code(), Code::kDenied);
  sql("drop owned by \"" + role + "\"; drop role \"" + role + "\"");
}

}  // namespace
}  // namespace edged::mirror
