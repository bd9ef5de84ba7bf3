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
  Translator make(const std::string& column, ReplicaIdentity identity = ReplicaIdentity::kDefault) {
    Rule rule;
    rule.table = *parse_table_name("t");
    rule.key = *KeyTemplate::parse("k:{" + column + "}");
    Table table;
    table.name = rule.table;
    table.oid = 7;
    table.identity = identity;
    table.columns = {
        {{"id", {JsonForm::kNumber, false}}, true}, {{"name", {}}, false}, {{"big", {}}, false}};
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

TEST_F(TranslatorTest, RowsThatSwapTheirKeysKeepBoth) {
  const Translator translator = make("name");
  BatchPlan plan;
  const auto one = translator.update({7, std::nullopt, {text("1"), text("b"), kNull}});
  const auto two = translator.update({7, std::nullopt, {text("2"), text("a"), kNull}});
  plan.know_index(index_key(0, (*one)->identity_before), "k:a");
  plan.know_index(index_key(0, (*two)->identity_before), "k:b");
  add(plan, one);
  add(plan, two);
  EXPECT_EQ(items(plan),
            (Texts{"put k:a={\"id\":2,\"name\":\"a\",\"big\":null}",
                   "put k:b={\"id\":1,\"name\":\"b\",\"big\":null}"}));
}

TEST_F(TranslatorTest, UnchangedColumnsAreTheRowsOwnWhereKeysAreSwapped) {
  const Translator translator = make("name");
  BatchPlan plan;
  const auto one = translator.update({7, std::nullopt, {text("1"), text("b"), kNull}});
  const auto two = translator.update({7, std::nullopt, {text("2"), text("a"), kUnchanged}});
  plan.know_index(index_key(0, (*one)->identity_before), "k:a");
  plan.know_index(index_key(0, (*two)->identity_before), "k:b");
  EXPECT_FALSE(plan.value_before(**one)) << "the node has it";
  add(plan, one);
  EXPECT_FALSE(plan.value_before(**two))
      << "the other row's value is planned for its key, not its own";
  const auto entry = (*two)->partial->complete(R"({"id":2,"name":"b","big":"two"})");
  ASSERT_TRUE(entry);
  plan.add(**two, *entry);
  const auto again = plan.value_before(**two);
  ASSERT_TRUE(again && *again);
  EXPECT_EQ(**again, R"({"id":2,"name":"a","big":"two"})");
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
