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
}

TEST_F(PublicationTest, IsSharedByMirrorsWithDifferentTables) {
  EXPECT_EQ(*ensure({"a"}), PublicationChange::kCreated);
  EXPECT_EQ(*ensure({"b"}), PublicationChange::kAltered);
  EXPECT_EQ(published(), "public.a {id,v}, public.b {id}");
  EXPECT_EQ(*ensure({"a"}), PublicationChange::kNone) << "what is there for another one stays";
  EXPECT_EQ(*ensure({"b"}), PublicationChange::kNone);
}

TEST_F(PublicationTest, MendsWhatSendsTooLittle) {
  for (const char* spoil : {"set (publish = 'insert, update, delete')",
                            "set table a where (id > 5)",
                            "set table a (id)",
                            "set table b"}) {
    ASSERT_TRUE(ensure({"a"}));
    sql(std::string("alter publication ") + kQuoted + " " + spoil);
    EXPECT_EQ(*ensure({"a"}), PublicationChange::kAltered) << spoil;
    EXPECT_THAT(published(), testing::StartsWith("public.a {id,v}")) << spoil;
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

// As a role that owns nothing, with select on all tables.
class HandMadePublicationTest : public PublicationTest {
 protected:
  void SetUp() override {
    PublicationTest::SetUp();
    sql("create role \"" + role_ +
        "\" login password 'x'; grant usage on schema \"Odd\"\"s\" to \"" + role_ +
        "\"; create table parts(id int primary key) partition by range (id);"
        "create table part partition of parts default;"
        "grant select on a, b, parts, part, \"Odd\"\"s\".\"T t\" to \"" +
        role_ + "\"");
    url_ = cluster_.tcp_url(database_, role_, "x");
  }
  void TearDown() override { sql("drop owned by \"" + role_ + "\"; drop role \"" + role_ + "\""); }
  // What the refusal tells the owner to run.
  std::string statements_for(const std::vector<std::string>& tables) {
    const auto refused = ensure(tables);
    EXPECT_EQ(refused.code(), Code::kDenied);
    if (refused) return "";
    const std::string said = refused.error().message();
    const std::size_t at = said.find(" run: ");
    EXPECT_NE(at, std::string::npos) << said;
    return at == std::string::npos ? "" : said.substr(at + 6);
  }

  const std::string role_ = "r_" + database_;
};

TEST_F(HandMadePublicationTest, IsMadeByWhatTheRefusalTellsTheOwnerToRun) {
  const std::string statements = statements_for({"a", "Odd\"s.T t", "parts"});
  sql(statements);
  EXPECT_EQ(*ensure({"a", "Odd\"s.T t", "parts"}), PublicationChange::kNone) << statements;
}

TEST_F(HandMadePublicationTest, IsMendedByWhatTheRefusalTellsTheOwnerToRun) {
  for (const char* made : {"for table b",
                           "for table a where (id > 5), parts",
                           "for table a (id)",
                           "for table a, parts",
                           "for table a, parts with (publish = 'insert')"}) {
    sql(std::string("drop publication if exists ") + kQuoted + "; create publication " + kQuoted +
        " " + made);
    const std::string statements = statements_for({"a", "parts"});
    sql(statements);
    EXPECT_EQ(*ensure({"a", "parts"}), PublicationChange::kNone) << made << " / " << statements;
  }
}

TEST_F(HandMadePublicationTest, MayHaveMoreTablesThanTheRules) {
  sql("create schema if not exists edged; create table if not exists edged.mirror_heartbeats(slot "
      "text primary key);"
      "create publication " +
      std::string(kQuoted) + " for table b, edged.mirror_heartbeats, a");
  EXPECT_EQ(*ensure({"a"}), PublicationChange::kNone)
      << "without partitioned tables publish_via_partition_root does not matter";
}

TEST_F(HandMadePublicationTest, MayNotPublishAParentOfAMirroredPartition) {
  for (const std::string made :
       {"for table parts, part", "for table part, tables in schema public"}) {
    sql("drop publication if exists " + std::string(kQuoted) + "; create publication " + kQuoted +
        " " + made);
    EXPECT_EQ(*ensure({"part"}), PublicationChange::kNone) << "sent as the partition's own";
    sql("alter publication " + std::string(kQuoted) + " set (publish_via_partition_root = true)");
    const auto refused = ensure({"part"});
    EXPECT_EQ(refused.code(), Code::kConflict) << made;
    EXPECT_THAT(refused.error().message(), testing::HasSubstr("that table public.part belongs to"));
  }
}

TEST_F(HandMadePublicationTest, IsNotDropped) {
  sql("create publication " + std::string(kQuoted) + " for table a");
  EXPECT_EQ(drop().code(), Code::kDenied);
}

}  // namespace
}  // namespace edged::mirror
