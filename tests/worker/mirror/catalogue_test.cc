// SPDX-License-Identifier: Apache-2.0
// Rules against a real catalogue: what is found, and each thing that can be wrong, by name.
#include "worker/mirror/catalogue.h"

#include <gmock/gmock.h>

#include "tests/worker/mirror/catalogue_fixture.h"

namespace edged::mirror {
namespace {

using CatalogueTest = CatalogueFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CatalogueTest, TellsColumnsTypesAndIdentity) {
  sql("create type mood as enum ('sad', 'glad'); create domain seats as int check (value >= 0);"
      "create domain places as seats;"
      "create table t(a int unique, gone text, id uuid primary key, n places, m mood, ms mood[],"
      "  ns places[], at timestamptz, j jsonb, double int generated always as (a * 2) stored);"
      "alter table t drop column gone");
  const Catalogue found = read({rule_of("t", "t:{a}")});
  EXPECT_THAT(found.complaints, IsEmpty());
  ASSERT_EQ(found.tables.size(), 1U);
  const Table& table = found.tables.front();
  EXPECT_EQ(std::to_string(table.oid), cluster_.value(database_, "select 't'::regclass::oid"));
  EXPECT_TRUE(table.owned);
  EXPECT_FALSE(table.partitioned);
  std::vector<std::string> columns;
  for (const TableColumn& column : table.columns) {
    const JsonType& type = column.json.type;
    const bool array = type.form == JsonForm::kArray;
    columns.push_back(column.json.name + (column.identity ? "*" : "") + " " +
                      std::to_string(static_cast<int>(array ? type.element->form : type.form)) +
                      (array ? "[]" : ""));
  }
  EXPECT_THAT(columns,
              ElementsAre("a 1", "id* 0", "n 1", "m 0", "ms 0[]", "ns 1[]", "at 5", "j 3"));
}

TEST_F(CatalogueTest, KnowsTheIdentityThatTheTableChose) {
  sql("create table t(a int primary key, b int not null unique);"
      "alter table t replica identity using index t_b_key;"
      "create table whole(a int unique); alter table whole replica identity full;"
      "create table parts(a int primary key) partition by range (a);"
      "create table part partition of parts default");
  const Catalogue found =
      read({rule_of("t", "t:{a}"), rule_of("whole", "w:{a}"), rule_of("public.parts", "p:{a}")});
  EXPECT_THAT(found.complaints, IsEmpty());
  ASSERT_EQ(found.tables.size(), 3U);
  EXPECT_EQ(found.tables[0].identity, ReplicaIdentity::kIndex);
  EXPECT_FALSE(found.tables[0].columns[0].identity);
  EXPECT_TRUE(found.tables[0].columns[1].identity);
  EXPECT_EQ(found.tables[1].identity, ReplicaIdentity::kFull);
  EXPECT_TRUE(found.tables[2].partitioned);
  EXPECT_TRUE(found.tables[2].columns[0].identity);
}

TEST_F(CatalogueTest, SaysWhatIsWrongWithATable) {
  sql("create view v as select 1 as a; create unlogged table u(a int primary key);"
      "create table bare(a int); create table none(a int primary key);"
      "alter table none replica identity nothing; create table empty();"
      "create table \"Odd \"\"T\"(a int unique)");
  EXPECT_THAT(complaints(rule_of("absent", "k:{a}")),
              ElementsAre("table public.absent: does not exist"));
  EXPECT_THAT(complaints(rule_of("nowhere.bare", "k:{a}")), ElementsAre(HasSubstr("not exist")));
  EXPECT_THAT(complaints(rule_of("v", "k:{a}")), ElementsAre(HasSubstr("is a view")));
  EXPECT_THAT(complaints(rule_of("u", "k:{a}")), ElementsAre(HasSubstr("unlogged")));
  EXPECT_THAT(complaints(rule_of("bare", "k:{a}")), ElementsAre(HasSubstr("add a primary key")));
  EXPECT_THAT(complaints(rule_of("Odd \"T", "k:{a}")),
              ElementsAre(HasSubstr("alter table public.\"Odd \"\"T\" replica identity full")));
  sql("alter table public.\"Odd \"\"T\" replica identity full");
  EXPECT_THAT(complaints(rule_of("Odd \"T", "k:{a}")), IsEmpty());
  EXPECT_THAT(complaints(rule_of("none", "k:{a}")), ElementsAre(HasSubstr("primary key")));
  EXPECT_THAT(complaints(rule_of("empty", "k:{a}")),
              ElementsAre(HasSubstr("\"a\", which does not exist"), HasSubstr("primary key")));
}

TEST_F(CatalogueTest, WantsKeysThatAreUnique) {
  sql("create table t(id int primary key, a int, b int, c int, unique (a, b), unique (c) include "
      "(a));"
      "create unique index on t (b) where b > 0; create unique index on t ((b + 1))");
  EXPECT_THAT(complaints(rule_of("t", "k:{b}")),
              ElementsAre(HasSubstr("no unique index is on (b) or a part of it: create a unique "
                                    "index, without a condition and without expressions")));
  EXPECT_THAT(complaints(rule_of("t", "k:{a}")), ElementsAre(HasSubstr("unique index")));
  EXPECT_THAT(complaints(rule_of("t", "k:{b}:{a}")), IsEmpty());
  EXPECT_THAT(complaints(rule_of("t", "k:{b}:{id}")), IsEmpty());
  EXPECT_THAT(complaints(rule_of("t", "k:{c}")), IsEmpty());
}

TEST_F(CatalogueTest, WantsKeysThatTellTheirColumnsApart) {
  sql("create type mood as enum ('sad', 'glad'); create type colon as enum ('a:b');"
      "create domain seats as int; create domain title as text;"
      "create table t (a text, b text, i seats, n numeric, u uuid unique, m mood, c colon, w title,"
      "  primary key (a, b), unique (i, a), unique (m, a), unique (c, a), unique (w, a), unique "
      "(n, i))");
  EXPECT_THAT(complaints(rule_of("t", "w:{a}:{b}")),
              ElementsAre("table public.t: two rows may have the same key, because \"w:{a}:{b}\" "
                          "does not show where the texts of a, b begin and end: they may contain "
                          "the text between them. Set the key \"w:{a|uri}:{b}\", for example"));
  for (const char* key :
       {"w:{a}{b}", "w:{a}:{b}:", "w:{c}:{a}", "w:{w}:{a}", "w:{a}-{i}", "w:{n}{i}"}) {
    EXPECT_THAT(complaints(rule_of("t", key)), ElementsAre(HasSubstr("does not show"))) << key;
  }
  for (const char* key : {"w:{a|uri}:{b}",
                          "w:{b}:{a|uri}",
                          "w:{i}:{a}",
                          "w:{a}:{i}",
                          "w:{m}:{a}",
                          "w:{c|uri}:{a}",
                          "w:{w|uri}:{a}",
                          "w:{n}:{i}",
                          "w:{u}",
                          "w:{u}{a}",
                          "w:{a}:{b}:{u}",
                          "w:{c}/{a|uri}"}) {
    EXPECT_THAT(complaints(rule_of("t", key)), IsEmpty()) << key;
  }
}

TEST_F(CatalogueTest, KnowsByWhichIndexRowsAreFound) {
  sql("create domain title as varchar(20); create table t (a int unique deferrable, b title "
      "unique, "
      "c bpchar, primary key (c), unique (a, b) deferrable)");
  const auto lookup = [&](const char* key) {
    const Catalogue found = read({rule_of("t", key)});
    if (found.tables.empty()) return std::string("none");
    std::string text = found.tables[0].deferred_key ? "deferred" : "";
    for (const LookupColumn& one : found.tables[0].lookup)
      text += " " + one.name + "::" + one.sql_type;
    return text;
  };
  EXPECT_EQ(lookup("k:{a}"), "deferred a::integer");
  EXPECT_EQ(lookup("k:{a}:{b}"), " b::character varying")
      << "one that holds for each row is better";
  EXPECT_EQ(lookup("k:{c}"), " c::bpchar");
}

TEST_F(CatalogueTest, RefusesIndexesThatDoNotHold) {
  sql("create table t (id int primary key, a int, b int); insert into t values (1, 1, 1), (2, 1, "
      "2)");
  // As "create unique index concurrently" leaves it if it fails.
  sql("create unique index t_b on t (b); update pg_index set indisvalid = false "
      "where indexrelid = 't_b'::regclass");
  EXPECT_THAT(complaints(rule_of("t", "k:{b}")), ElementsAre(HasSubstr("no unique index")));
}

TEST_F(CatalogueTest, SaysWhatIsWrongWithAColumn) {
  sql("create type pair as (x int, y int);"
      "create table t(a int primary key, p pair, g int generated always as (a) stored, d date)");
  using Kind = RowValue::Kind;
  EXPECT_THAT(complaints(rule_of("t", "k:{A}", {Kind::kColumn, "d"})),
              ElementsAre("table public.t: key names the column \"A\", which does not exist"));
  EXPECT_THAT(complaints(rule_of("t", "k:{g}", {Kind::kConstant, "1"})),
              ElementsAre(HasSubstr("is generated")));
  EXPECT_THAT(complaints(rule_of("t", "k:{a}", {Kind::kColumn, "x"})),
              ElementsAre(HasSubstr("value.column names the column \"x\"")));
  EXPECT_THAT(complaints(rule_of("t", "k:{a}")), IsEmpty());
  EXPECT_THAT(complaints(rule_of("t", "k:{a}", {Kind::kColumn, "p"})), IsEmpty());
  Rule expires = rule_of("t", "k:{a}", {Kind::kConstant, "1"});
  expires.expires = "d";
  EXPECT_THAT(complaints(expires), ElementsAre(HasSubstr("is not a timestamp")));
}

TEST_F(CatalogueTest, RefusesColumnsWhoseTextChangesWithoutTheRow) {
  using Kind = RowValue::Kind;
  sql("create domain classes as regclass[]; create type named as (id int, r regrole);"
      "create table t(a int primary key, c classes, n named, m money, p regproc, d date)");
  const std::vector<std::string> row = complaints(rule_of("t", "k:{a}"));
  EXPECT_THAT(
      row,
      testing::IsSupersetOf({HasSubstr("\"c\" has the type classes, and the text of regclass"),
                             HasSubstr("\"n\" has the type named, and the text of regrole"),
                             HasSubstr("\"m\" has the type money, and the text of money depends"),
                             HasSubstr("\"p\" has the type regproc")}));
  EXPECT_THAT(complaints(rule_of("t", "k:{a}", {Kind::kColumn, "n"})),
              ElementsAre(HasSubstr("regrole")));
  EXPECT_THAT(complaints(rule_of("t", "k:{a}", {Kind::kColumn, "d"})), IsEmpty());
  EXPECT_THAT(complaints(rule_of("t", "k:{a}", {Kind::kConstant, "1"})), IsEmpty());
  sql("alter table t replica identity full");
  EXPECT_THAT(complaints(rule_of("t", "k:{a}", {Kind::kConstant, "1"})),
              testing::Contains(HasSubstr("money")))
      << "the whole row tells rows apart";
}

TEST_F(CatalogueTest, RefusesTablesWhoseRelativesAreNotReplicated) {
  sql("create table parent(a int primary key); create table child() inherits (parent);"
      "create table pt(a int primary key) partition by range (a);"
      "create unlogged table pt_u partition of pt for values from (0) to (1);"
      "create table pu(a int primary key, b int) partition by range (a);"
      "create table pu_1 partition of pu default; alter table pu replica identity full;"
      "create table pv(a int primary key, b int) partition by range (a);"
      "create table pv_1 partition of pv default; alter table pv_1 replica identity full;"
      "create extension postgres_fdw; create server s foreign data wrapper postgres_fdw;"
      "create table pf(a int not null) partition by range (a); alter table pf replica identity "
      "full;"
      "create foreign table pf_1 partition of pf default server s");
  EXPECT_THAT(complaints(rule_of("parent", "k:{a}")),
              ElementsAre(HasSubstr("table public.child inherits from it")));
  EXPECT_THAT(complaints(rule_of("child", "k:{a}")),
              testing::Not(testing::Contains(HasSubstr("inherits"))));
  EXPECT_THAT(complaints(rule_of("pt", "k:{a}")),
              ElementsAre(HasSubstr("its partition public.pt_u is a foreign or unlogged table")));
  EXPECT_THAT(complaints(rule_of("pf", "k:{a}")),
              testing::Contains(HasSubstr("its partition public.pf_1 is a foreign")));
  EXPECT_THAT(complaints(rule_of("pu", "k:{a}")),
              ElementsAre(HasSubstr("its partition public.pu_1 has another replica identity")));
  EXPECT_THAT(complaints(rule_of("pv", "k:{a}")), IsEmpty()) << "tells more than is needed";
  sql("alter table pu_1 replica identity full");
  EXPECT_THAT(complaints(rule_of("pu", "k:{a}")), IsEmpty());
  EXPECT_THAT(
      read({rule_of("pv", "k:{a}"), rule_of("pv_1", "l:{a}")}).complaints,
      ElementsAre(HasSubstr("is a partition of table public.pv, which another rule names")));
}

TEST_F(CatalogueTest, IncludedColumnsAreNotPartOfTheIdentity) {
  sql("create table t(a int, b int, primary key (a) include (b))");
  const Catalogue found = read({rule_of("t", "k:{a}")});
  ASSERT_EQ(found.tables.size(), 1U);
  EXPECT_TRUE(found.tables[0].columns[0].identity);
  EXPECT_FALSE(found.tables[0].columns[1].identity);
}

TEST_F(CatalogueTest, SaysWhatTheRoleMayNot) {
  const std::string role = "r_" + database_;
  sql("create role \"" + role +
      "\" login password 'x'; create table t(a int primary key);"
      "create table hidden(a int primary key); alter table hidden enable row level security;"
      "grant select on hidden to \"" +
      role + "\"");
  url_ = cluster_.tcp_url(database_, role, "x");
  EXPECT_THAT(complaints(rule_of("t", "k:{a}")), ElementsAre(HasSubstr("grant select on it")));
  EXPECT_THAT(complaints(rule_of("hidden", "k:{a}")), ElementsAre(HasSubstr("bypassrls")));
  sql("grant select on t to \"" + role + "\"");
  std::vector<Rule> rules;
  rules.push_back(rule_of("t", "k:{a}"));
  EXPECT_THAT(obstacles(facts(), read(rules)),
              ElementsAre(HasSubstr("alter role " + role + " replication")));
  EXPECT_THAT(heartbeat_obstacle(facts()), HasSubstr("run edged migrate"));
  sql("create schema edged; create table edged.mirror_heartbeats(slot text)");
  const std::string said = heartbeat_obstacle(facts());
  ASSERT_THAT(said, HasSubstr("As its owner run: grant usage"));
  sql(said.substr(said.find("run: ") + 5) + "alter role \"" + role + "\" replication");
  EXPECT_THAT(heartbeat_obstacle(facts()), IsEmpty());
  EXPECT_THAT(obstacles(facts(), read(rules)), IsEmpty()) << "it need not own a table";
  sql("drop owned by \"" + role + "\"; drop role \"" + role + "\"");
}

TEST_F(CatalogueTest, TellsWhatTheServerLacks) {
  ServerFacts facts = this->facts();
  EXPECT_THAT(obstacles(facts, {}), IsEmpty());
  EXPECT_EQ(facts.database, database_);
  facts.wal_level = "replica";
  facts.standby = true;
  facts.slots = facts.slots_max;
  EXPECT_THAT(obstacles(facts, {}),
              ElementsAre(HasSubstr("wal_level is replica"),
                          HasSubstr("standby"),
                          HasSubstr("replication slots are in use")));
  facts.keep_size = "-1";
  EXPECT_THAT(doubts(facts), ElementsAre(HasSubstr("max_slot_wal_keep_size")));
  facts.keep_size = "4GB";
  EXPECT_THAT(doubts(facts), IsEmpty());
}

}  // namespace
}  // namespace edged::mirror
