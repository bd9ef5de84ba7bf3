// SPDX-License-Identifier: Apache-2.0
// Row changes of the stream, as they become entries of the node: with and without an index, with
// unchanged columns, and with whole rows as identity.
#include "worker/mirror/translator.h"

#include <gtest/gtest.h>

#include "worker/mirror/batch_plan.h"
#include "worker/mirror/hidden_keys.h"

namespace edged::mirror {
namespace {

ColumnValue text(std::string_view bytes) {
  return {ColumnValue::Kind::kText, bytes};
}
const ColumnValue kNull{ColumnValue::Kind::kNull, {}};
const ColumnValue kUnchanged{ColumnValue::Kind::kUnchanged, {}};

// t(id primary key, name, big): the key is made of `column`.
class TranslatorTest : public testing::Test {
 protected:
  Translator make(const std::string& column,
                  ReplicaIdentity identity = ReplicaIdentity::kDefault,
                  bool deferred_key = false) {
    Rule rule;
    rule.table = *parse_table_name("t");
    rule.key = *KeyTemplate::parse("k:{" + column + "}");
    Table table;
    table.name = rule.table;
    table.oid = 7;
    table.identity = identity;
    table.deferred_key = deferred_key;
    table.columns = {
        {{"id", JsonType{JsonForm::kNumber}}, true}, {{"name", {}}, false}, {{"big", {}}, false}};
    table.types = {{23, -1}, {25, -1}, {25, -1}};
    Translator translator({rule}, {table});
    EXPECT_TRUE(translator.relation(relation(identity)).ok());
    return translator;
  }
  static Relation relation(ReplicaIdentity identity = ReplicaIdentity::kDefault) {
    Relation relation;
    relation.id = 7;
    relation.schema = "public";
    relation.name = "t";
    relation.identity = identity;
    relation.columns = {{true, "id", 23, -1}, {false, "name", 25, -1}, {false, "big", 25, -1}};
    return relation;
  }
  // What a batch of the changes writes: "put KEY=VALUE" and "del KEY", hidden keys left out.
  static std::vector<std::string> items(BatchPlan& plan) {
    std::vector<std::string> all;
    for (const net::BatchItem& item : plan.take_items()) {
      if (const auto* put = std::get_if<net::PutItem>(&item)) {
        if (!is_reserved(put->key)) all.push_back("put " + put->key + "=" + put->value);
      } else if (!is_reserved(std::get<net::RemoveItem>(item).key)) {
        all.push_back("del " + std::get<net::RemoveItem>(item).key);
      }
    }
    return all;
  }
  static void add(BatchPlan& plan, Result<std::optional<RowChange>> change) {
    ASSERT_TRUE(change) << change.error().to_string();
    ASSERT_TRUE(*change);
    std::optional<RowMapper::Entry> entry = (*change)->entry;
    plan.add(**change, std::move(entry));
  }
};

using Texts = std::vector<std::string>;

TEST_F(TranslatorTest, AKeyOfTheIdentityNeedsNoIndex) {
  const Translator translator = make("id");
  BatchPlan plan;
  add(plan, translator.insert({7, {text("1"), text("a"), text("b")}}));
  add(plan,
      translator.update(
          {7, OldRow{false, {text("1"), kNull, kNull}}, {text("2"), text("a"), kNull}}));
  add(plan, translator.remove({7, {false, {text("3"), kNull, kNull}}}));
  EXPECT_EQ(items(plan),
            (Texts{"del k:1", "put k:2={\"id\":2,\"name\":\"a\",\"big\":null}", "del k:3"}));
}

TEST_F(TranslatorTest, OtherKeysAreFoundThroughTheIndex) {
  const Translator translator = make("name");
  const auto update = translator.update({7, std::nullopt, {text("1"), text("b"), text("x")}});
  ASSERT_TRUE(update && *update);
  EXPECT_TRUE((*update)->indexed);
  const std::string index = index_key(0, (*update)->identity_before);
  BatchPlan plan;
  plan.know_index(index, "k:a");
  EXPECT_EQ(plan.key_before(**update), "k:a");
  add(plan, update);
  EXPECT_EQ(plan.key_before(**update), "k:b") << "an earlier change of the batch counts";
  add(plan, translator.remove({7, {false, {text("1"), kNull, kNull}}}));
  EXPECT_EQ(items(plan), (Texts{"del k:a", "del k:b"}));
}

using Unknown = std::map<std::size_t, Texts>;
using Where = BatchPlan::Stored::Where;

TEST_F(TranslatorTest, KeysThatRowsLeaveAreReadFromTheTableWhereTheyAreDeferred) {
  for (const ReplicaIdentity identity : {ReplicaIdentity::kDefault, ReplicaIdentity::kFull}) {
    const Translator translator = make("name", identity, true);
    const bool whole = identity == ReplicaIdentity::kFull;
    const auto old = [&](const char* id, const char* name) {
      return OldRow{whole, {text(id), whole ? text(name) : kNull, kNull}};
    };
    BatchPlan plan;
    const auto one = translator.update({7, old("1", "a"), {text("1"), text("b"), kNull}});
    const auto two = translator.update({7, old("2", "b"), {text("2"), text("c"), kNull}});
    if (!whole) {
      plan.know_index(index_key(0, (*one)->identity_before), "k:a");
      plan.know_index(index_key(0, (*two)->identity_before), "k:b");
    }
    add(plan, one);
    add(plan, two);
    EXPECT_EQ(plan.unknown_keys(), (Unknown{{0, {"k:a", "k:b"}}}));
    EXPECT_EQ(items(plan), (Texts{"put k:c={\"id\":2,\"name\":\"c\",\"big\":null}"}));
  }
}

TEST_F(TranslatorTest, AStateThatIncludesATransactionIsNotReplacedByIt) {
  const Translator translator = make("id");
  BatchPlan plan(
      [](const std::string& key, std::uint32_t xid) { return key == "k:1" && xid <= 10; });
  const auto change = [&](std::uint32_t xid, const ColumnValue& big) {
    auto update = translator.update({7, std::nullopt, {text("1"), text("x"), big}});
    (*update)->xid = xid;
    return update;
  };
  const auto older = change(10, text("older"));
  EXPECT_EQ(plan.stored_before(**older).where, Where::kNowhere) << "the node's value is newer";
  add(plan, older);
  EXPECT_EQ(items(plan), Texts{});
  const auto newer = change(11, kUnchanged);
  EXPECT_EQ(plan.stored_before(**newer).where, Where::kNode);
  plan.add_unknown(**newer, "k:1");
  EXPECT_EQ(plan.unknown_keys(), (Unknown{{0, {"k:1"}}}));
  add(plan, change(12, text("later")));
  EXPECT_EQ(items(plan), Texts{}) << "the statement that reads it sees this change too";
}

TEST_F(TranslatorTest, UnchangedColumnsAreTheRowsOwn) {
  const Translator translator = make("name");
  BatchPlan plan;
  const auto update = translator.update({7, std::nullopt, {text("1"), text("b"), kUnchanged}});
  plan.know_index(index_key(0, (*update)->identity_before), "k:a");
  EXPECT_EQ(plan.stored_before(**update).where, Where::kNode);
  EXPECT_EQ(plan.stored_before(**update).key, "k:a");
  plan.add(**update, *(*update)->partial->complete(R"({"id":1,"name":"a","big":"one"})"));
  EXPECT_EQ(plan.stored_before(**update).where, Where::kPlan);
  EXPECT_EQ(plan.stored_before(**update).value, R"({"id":1,"name":"b","big":"one"})");
  plan.add_expired(**update, "k:b");
  EXPECT_EQ(plan.stored_before(**update).where, Where::kNowhere) << "an expired row has no value";
  EXPECT_EQ(plan.key_before(**update), "k:b");
}

TEST_F(TranslatorTest, AnIdentityThatIsNotSentAgainIsThatOfTheOldRow) {
  const Translator translator = make("id");
  const auto update = translator.update(
      {7, OldRow{false, {text("1"), kNull, kNull}}, {kUnchanged, text("b"), text("x")}});
  ASSERT_TRUE(update && *update) << update.error().to_string();
  ASSERT_TRUE((*update)->entry);
  EXPECT_EQ((*update)->entry->key, "k:1");
}

TEST_F(TranslatorTest, ARowWhoseKeyBecomesNullGoes) {
  const Translator translator = make("name");
  const auto update = translator.update({7, std::nullopt, {text("1"), kNull, kNull}});
  BatchPlan plan;
  plan.know_index(index_key(0, (*update)->identity_before), "k:a");
  add(plan, update);
  EXPECT_EQ(items(plan), Texts{"del k:a"});
}

TEST_F(TranslatorTest, UnchangedColumnsComeFromTheStoredValue) {
  const Translator translator = make("name");
  const auto update = translator.update({7, std::nullopt, {text("1"), text("b"), kUnchanged}});
  ASSERT_TRUE(update && *update && (*update)->partial);
  const auto entry = (*update)->partial->complete("{\"id\":1,\"name\":\"a\",\"big\":\"kept\"}");
  ASSERT_TRUE(entry && *entry) << entry.error().to_string();
  EXPECT_EQ((*entry)->value, "{\"id\":1,\"name\":\"b\",\"big\":\"kept\"}");
  EXPECT_EQ((*update)->partial->complete(std::nullopt).code(), Code::kNotFound);
}

TEST_F(TranslatorTest, AWholeRowAsIdentityHasTheUnchangedColumns) {
  const Translator translator = make("name", ReplicaIdentity::kFull);
  const OldRow old{true, {text("1"), text("a"), text("big")}};
  BatchPlan plan;
  add(plan, translator.update({7, old, {text("1"), text("b"), kUnchanged}}));
  add(plan, translator.remove({7, {true, {text("2"), text("c"), kNull}}}));
  EXPECT_EQ(items(plan),
            (Texts{"del k:a", "put k:b={\"id\":1,\"name\":\"b\",\"big\":\"big\"}", "del k:c"}));
}

TEST_F(TranslatorTest, ATableThatIsNotWhatItWasIsNoticed) {
  Translator translator = make("id");
  Relation changed = relation();
  changed.columns.push_back({false, "more", 25, -1});
  EXPECT_EQ(translator.relation(changed).code(), Code::kConflict);
  changed = relation();
  changed.columns[1].name = "renamed";
  EXPECT_EQ(translator.relation(changed).code(), Code::kConflict);
  EXPECT_EQ(translator.relation(relation(ReplicaIdentity::kFull)).code(), Code::kConflict);
  changed = relation();
  changed.name = "other";
  EXPECT_EQ(translator.relation(changed).code(), Code::kConflict);
  changed = relation();
  changed.columns[1].type = 1043;
  EXPECT_EQ(translator.relation(changed).code(), Code::kConflict);
  changed = relation();
  changed.columns[1].modifier = 14;
  EXPECT_EQ(translator.relation(changed).code(), Code::kConflict);
  changed = relation();
  changed.columns[1].key = true;
  EXPECT_EQ(translator.relation(changed).code(), Code::kConflict);
  EXPECT_EQ(translator.relation(changed).message(),
            "table public.t was altered: column \"name\" was added to the replica identity or "
            "removed from it");
}

TEST_F(TranslatorTest, OtherTablesArePassedOverAndUnknownOnesRefused) {
  Translator translator = make("id");
  Relation other = relation();
  other.id = 8;
  ASSERT_TRUE(translator.relation(other).ok());
  const auto passed = translator.insert({8, {text("1")}});
  ASSERT_TRUE(passed);
  EXPECT_FALSE(*passed);
  EXPECT_EQ(translator.insert({9, {text("1")}}).code(), Code::kBadFrame);
  EXPECT_EQ(*translator.truncate({{7, 8}, false, false}), std::vector<std::size_t>{0});
  EXPECT_EQ(translator.truncate({{9}, false, false}).code(), Code::kBadFrame);
}

TEST_F(TranslatorTest, RowsThatFitNoEntryNameTheirTable) {
  const Translator translator = make("id");
  EXPECT_EQ(translator.insert({7, {text("1")}}).code(), Code::kInvalidArgument);
  const std::string long_id(600, '1');
  const auto bad = translator.insert({7, {text(long_id), kNull, kNull}});
  ASSERT_EQ(bad.code(), Code::kInvalidArgument);
  EXPECT_NE(bad.error().message().find("public.t"), std::string::npos) << bad.error().message();
  const ColumnValue binary{ColumnValue::Kind::kBinary, "1"};
  EXPECT_EQ(translator.insert({7, {binary, kNull, kNull}}).code(), Code::kBadFrame);
}

}  // namespace
}  // namespace edged::mirror
