// SPDX-License-Identifier: Apache-2.0
// Keys that change hands among rows: within a statement, a transaction, and over the border of a
// batch. The table is the oracle.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/worker/mirror/mirror_run_fixture.h"

namespace edged::mirror {
namespace {

// One table for each replica identity whose unique constraint is deferrable, and one whose is not.
struct Variant {
  std::string table;
  std::string identity;  // alter table …
  bool deferrable = true;
  RowValue value{};
  std::string key = ":{pos}";
  std::string more{};  // before the identity is set
};

const std::vector<Variant>& variants() {
  static const std::vector<Variant> all{
      {"by_key", "default", true, {}},
      {"whole", "full", true, {}},
      {"by_index", "using index by_index_alt_key", true, {}},
      {"at_once", "default", false, {}},
      {"at_once_whole", "full", false, {}},
      {"of_column", "default", true, {RowValue::Kind::kColumn, "big"}},
      {"two", "default", true, {}, ":{pos}:{kind}"},
      {"ids", "default", true, {}, ":{id}"},
      {"in_part",
       "using index in_part_both",
       true,
       {},
       ":{pos}",
       "alter table in_part alter pos set not null;"
       "create unique index in_part_both on in_part (pos, alt)"}};
  return all;
}

class KeyChangesTest : public MirrorRunFixture {
 protected:
  void create(const Variant& one) {
    const std::string deferrable = one.deferrable ? " deferrable initially immediate" : "";
    sql("create table " + one.table +
        " (id int primary key, alt int not null unique, pos int, "
        "kind int not null default 0, v text, big text, unique (pos)" +
        deferrable + ")");
    sql("alter table " + one.table + " alter column big set storage external");
    sql("insert into " + one.table +
        " select i, i, i, 0, 'v' || i, repeat('b' || i, 1500) "
        "from generate_series(1, 8) i");
    if (!one.more.empty()) sql(one.more);
    sql("alter table " + one.table + " replica identity " + one.identity);
  }
  static Rule rule(const Variant& one) {
    return rule_of(one.table, one.table + one.key, one.value);
  }
  Entries table(const Variant& one) {
    std::string key = "'" + one.table + ":' || " + (one.key == ":{id}" ? "id" : "pos");
    if (one.key == ":{pos}:{kind}") key += " || ':' || kind";
    const bool column = one.value.kind == RowValue::Kind::kColumn;
    return expected("select " + key + ", " +
                    (column ? "coalesce(big, '')" : "row_to_json(t)::text") + " from " + one.table +
                    " t where pos is not null or " + (one.key == ":{id}" ? "true" : "false"));
  }
  void compare(const std::string& where) {
    for (const Variant& one : variants()) {
      EXPECT_EQ(entries(one.table + ":"), table(one)) << one.table << ", " << where;
    }
  }
  void start_all(std::size_t changes_max) {
    std::vector<Rule> rules;
    for (const Variant& one : variants()) {
      create(one);
      rules.push_back(rule(one));
    }
    start(rules, changes_max);
    compare("after the load");
  }
  // On all tables; the constraint is checked at the end, and what breaks it is rolled back.
  void change(const std::string& statements) {
    for (const Variant& one : variants()) {
      std::string text = statements;
      for (std::size_t at = text.find("$t"); at != std::string::npos; at = text.find("$t")) {
        text.replace(at, 2, one.table);
      }
      sql("do $do$ begin set constraints all deferred; " + text +
          "; set constraints all immediate; exception when unique_violation or not_null_violation "
          "then null; end $do$");
    }
  }
};

TEST_F(KeyChangesTest, EachRowKeepsItsKeyWhereKeysMoveOn) {
  start_all(Applier::kBatchChangesMax);
  const struct {
    const char* name;
    const char* statements;
  } cases[] = {
      {"up", "update $t set pos = pos + 1"},
      {"down", "update $t set pos = pos - 1"},
      {"reversed", "update $t set pos = 10 - pos"},
      {"in a circle", "update $t set pos = pos % 8 + 1"},
      {"with another value", "update $t set pos = pos % 8 + 1, v = v || 'x'"},
      {"and back", "update $t set pos = pos % 8 + 1; update $t set pos = (pos + 6) % 8 + 1"},
      {"through null",
       "update $t set pos = null where id = 1; update $t set pos = (select max(p) "
       "from generate_series(1, 9) p where not exists (select from $t where pos = p)) where id = "
       "1"},
      {"one visits another's",
       "update $t set pos = (select pos from $t where id = 2) where id = 1;"
       "update $t set pos = 100 where id = 1"},
      {"one is there for a moment",
       "insert into $t values (50, 50, (select pos from $t where id = 3));"
       "delete from $t where id = 50"},
      {"deleted and inserted",
       "insert into $t values (51, 51, (select pos from $t where id = 4));"
       "delete from $t where id = 4"},
      {"a large column is new",
       "update $t set pos = pos % 8 + 1; update $t set big = repeat(v, 3000)"},
      {"a row is another's heir",
       "delete from $t where id = 5; update $t set id = 5, alt = 5, "
       "pos = 200 where id = 6"}};
  for (const auto& one : cases) {
    change(one.statements);
    compare(one.name);
  }
  EXPECT_EQ(loads(), 1U);
}

class RandomKeyChanges {
 public:
  explicit RandomKeyChanges(unsigned seed) : random_(seed) {}

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string statement() {
    const std::string id = std::to_string(1 + pick(9)), other = std::to_string(1 + pick(9)),
                      place = std::to_string(1 + pick(10));
    switch (pick(14)) {
      case 0:
        return "update $t set pos = pos + 1";
      case 1:
        return "update $t set pos = (pos + " + place + ") % 9 + 1";
      case 2:
        return "update $t set pos = 9 - pos where id in (" + id + "," + other + ")";
      case 3:
        return "update $t a set pos = b.pos from $t b where (a.id, b.id) in ((" + id + "," + other +
               "), (" + other + "," + id + "))";
      case 4:
        return "delete from $t where id = " + id;
      case 5:
        return "insert into $t values (" + id + "," + id + "," + place + ", 0, 'n', " +
               "repeat('n" + place + "', 2000)) on conflict (id) do nothing";
      case 6:
        return "update $t set pos = null where id = " + id;
      case 7:
        return "update $t set pos = " + place + " where id = " + id;
      case 8:
        return "update $t set v = '" + place + "' where id <= " + id;
      case 9:
        return "update $t set big = repeat('c" + place + "', 2000), pos = " + place +
               " where id = " + id;
      case 10:
        return "update $t set kind = kind + 1 where id = " + id;
      case 11:
        return "update $t set id = " + other + ", alt = " + other + " where id = " + id;
      case 12:
        return "update $t a set pos = b.pos from $t b where b.id = (a.id + " + place + ") % 8 + 1";
      default:
        return "update $t set pos = pos - 1 where pos > " + place;
    }
  }
  std::string transaction() {
    std::string all;
    for (int n = 1 + pick(6); n > 0; --n) all += (all.empty() ? "" : "; ") + statement();
    return all;
  }

 private:
  std::mt19937 random_;
};

// EDGED_TEST_SEED repeats a run.
TEST_F(KeyChangesTest, AnyChangesComeOutAsTheTableIs) {
  const char* given = std::getenv("EDGED_TEST_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
  std::cout << "EDGED_TEST_SEED=" << seed << "\n";
  RandomKeyChanges random(seed);
  start_all(3);
  std::string done;
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    done.clear();
    const bool behind = random.pick(4) == 0;  // changes while nobody follows
    if (behind) stop();
    for (int n = 1 + random.pick(behind ? 6 : 3); n > 0; --n) {
      const std::string transaction = random.transaction();
      done += transaction + "\n";
      change(transaction);
      if (!behind && random.pick(5) == 0) {
        step(static_cast<std::size_t>(random.pick(60)));
        restart();
        done += "(stopped and started)\n";
      }
    }
    if (behind) restart();
    if (round == 30)
      change(
          "truncate $t; insert into $t select i, i, i, 0, 'v', repeat('t', 3000) from "
          "generate_series(1, 8) i");
    compare("round " + std::to_string(round) + " of seed " + std::to_string(seed) + ":\n" + done);
  }
  EXPECT_EQ(loads(), 1U);
}

}  // namespace
}  // namespace edged::mirror
