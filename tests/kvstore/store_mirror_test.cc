// SPDX-License-Identifier: Apache-2.0
// Keys that a mirror owns and keys reserved for it: who may write them, who sees them, and what
// becomes of the declaration itself.
#include <gmock/gmock.h>

#include "tests/kvstore/mirror_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;
using test::kOwnerKey;
using test::kPositionKey;
using test::kRulesKey;
using ::testing::HasSubstr;

using StoreMirrorTest = MirrorFixture;

std::vector<Operation> every_write(NamespaceNumber ns, const std::string& key) {
  Put put;
  Delete remove;
  Touch touch;
  Add add;
  put.ns = remove.ns = touch.ns = add.ns = ns;
  put.key = remove.key = touch.key = add.key = key;
  return {put, remove, touch, add};
}

TEST_F(StoreMirrorTest, NobodyElseWritesOwnedKeys) {
  mirror();
  for (const char* key : {"m:1", "m:absent"}) {
    for (const Operation& operation : every_write(ns_, key)) {
      const WriteOutcome outcome = write(operation);
      EXPECT_EQ(outcome.code, Code::kConflict) << key << " " << operation.index();
      EXPECT_EQ(outcome.message,
                "the key belongs to the mirror (\"m:...\"): write its PostgreSQL table");
    }
  }
  EXPECT_EQ(mirror_get("m:1"), "one");
  EXPECT_EQ(put("m", "beside").code, Code::kOk);
  EXPECT_EQ(put("n:1", "beside").code, Code::kOk);
  auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  Put elsewhere = put_of("m:1", "of another namespace");
  elsewhere.ns = other->number;
  EXPECT_EQ(write(elsewhere).code, Code::kOk);
  EXPECT_EQ(store_->get(other->number, "m:1", ReadTier::kDisk)->value, "of another namespace");
}

TEST_F(StoreMirrorTest, WritesOfSeveralKeysAreJudgedKeyByKey) {
  mirror();
  auto outcomes = write_all({put_of("a", "1"), put_of("m:1", "2"), put_of("b", "3")}, false);
  EXPECT_EQ(outcomes[0].code, Code::kOk);
  EXPECT_EQ(outcomes[1].code, Code::kConflict);
  EXPECT_EQ(outcomes[2].code, Code::kOk);
  outcomes = write_all({put_of("a", "4"), put_of("m:1", "5")}, true);
  EXPECT_EQ(outcomes[1].code, Code::kConflict);
  EXPECT_EQ(value_of("a"), "1");
  EXPECT_EQ(value_of("m:1"), "one");
  // Conditions write nothing: they are reads, and stale as those are.
  Check check;
  check.ns = ns_;
  check.key = "m:1";
  EXPECT_EQ(write_all({put_of("a", "6"), check}, true)[1].code, Code::kOk);
  clock_.advance(milliseconds(5001));
  EXPECT_EQ(write_all({put_of("a", "7"), check}, true)[1].code, Code::kStale);
  EXPECT_EQ(value_of("a"), "6");
}

TEST_F(StoreMirrorTest, AMirrorWritesItsNamespaceOnly) {
  mirror();
  auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  Put elsewhere = put_of(kRulesKey, test::rules_value({{"x"}}));
  elsewhere.ns = other->number;
  EXPECT_EQ(mirror_write({elsewhere}).front().code, Code::kConflict);
  Write loose;
  loose.operations = {put_of("m:1", "2")};
  loose.mirror = MirrorMark{ns_, "", std::nullopt};
  EXPECT_EQ(write_and_wait(*store_, loose).code(), Code::kInvalidArgument);
  loose.atomic = true;
  loose.mirror->ns = 999;
  EXPECT_EQ(write_and_wait(*store_, loose)->front().code, Code::kNamespaceNotFound);
  loose.mirror->ns = ns_;
  loose.mirror->position = std::string(65, 'p');
  EXPECT_EQ(write_and_wait(*store_, loose).code(), Code::kInvalidArgument);
}

TEST_F(StoreMirrorTest, ReservedKeysAreHidden) {
  ASSERT_EQ(mirror_put(kOwnerKey, "worker 1"), Code::kOk);
  for (const Operation& operation : every_write(ns_, kOwnerKey)) {
    EXPECT_EQ(write(operation).code, Code::kConflict) << operation.index();
  }
  put("\x01visible", "v");
  EXPECT_EQ(get_code(kOwnerKey), Code::kNotFound);
  EXPECT_EQ(store_->get_many(ns_, {kOwnerKey}, ReadTier::kDisk)[0].code(), Code::kNotFound);
  EXPECT_EQ(store_->open_value(ns_, kOwnerKey).code(), Code::kNotFound);
  EXPECT_EQ(store_->get_or_lease(ns_, kOwnerKey, milliseconds(100), ReadTier::kDisk).code(),
            Code::kNotFound);
  EXPECT_EQ(mirror_get(kOwnerKey), "worker 1");
  EXPECT_TRUE(store_->get_many(ns_, {kOwnerKey}, ReadTier::kDisk, Reader::kMirror)[0]);
  EXPECT_TRUE(store_->open_value(ns_, kOwnerKey, Reader::kMirror));
  EXPECT_FALSE(store_->is_cached(ns_, kOwnerKey));
  EXPECT_EQ(keys_of("", Reader::kAnyone), "\x01visible ");
  EXPECT_EQ(keys_of(kOwnerKey, Reader::kAnyone), "");
  EXPECT_EQ(keys_of("", Reader::kMirror), kOwnerKey + " \x01visible ");
}

TEST_F(StoreMirrorTest, ReservedKeysAreNeitherToldNorCounted) {
  auto watch = store_->watch({ns_, "", std::nullopt}, [] {});
  ASSERT_TRUE(watch);
  mirror();
  ASSERT_EQ(mirror_put(kOwnerKey, "worker 1"), Code::kOk);
  ASSERT_EQ(mirror_put(kOwnerKey, "worker 2, longer"), Code::kOk);
  ASSERT_EQ(mirror_write({delete_of(kOwnerKey)}).front().code, Code::kOk);
  const auto changes = (*watch)->next(100);
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->changes.size(), 1u);
  EXPECT_EQ(changes->changes[0].key, "m:1");
  const auto usage = store_->usage(ns_);
  EXPECT_EQ(usage->keys, 1u);
  EXPECT_EQ(usage->bytes, 6u);
  EXPECT_EQ(store_->stats().keys, 1u);
}

TEST_F(StoreMirrorTest, AFencedWriteLeavesNothing) {
  mirror();
  ASSERT_EQ(mirror_put(kOwnerKey, "worker 1"), Code::kOk);
  Check fence;
  fence.ns = ns_;
  fence.key = kOwnerKey;
  fence.condition = Condition::kVersion;
  fence.version = store_->get(ns_, kOwnerKey, ReadTier::kDisk, Reader::kMirror)->version;
  ASSERT_EQ(mirror_write({fence, put_of("m:1", "two")}, "p2", milliseconds(0))[1].code, Code::kOk);
  EXPECT_EQ(value_of("m:1"), "two");
  ASSERT_EQ(mirror_put(kOwnerKey, "worker 2"), Code::kOk);
  const auto late = mirror_write({put_of("m:1", "three"),
                                  put_of(kRulesKey, test::rules_value({{"other"}})),
                                  delete_of(kPositionKey),
                                  fence},
                                 "p3",
                                 milliseconds(0));
  EXPECT_EQ(late[3].code, Code::kVersionMismatch);
  EXPECT_EQ(value_of("m:1"), "two");
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->position, "p2");
  EXPECT_FALSE(store_->mirror_of(ns_, "other"));
}

TEST_F(StoreMirrorTest, ConditionsBeforeAnotherInTheSameGroupHold) {
  mirror();
  // One write both withdraws the rules and is followed, in the same group or a later one, by
  // others.
  ASSERT_EQ(mirror_write({delete_of(kRulesKey)}).front().code, Code::kOk);
  EXPECT_FALSE(store_->mirror_of(ns_, "m:1"));
  EXPECT_EQ(put("m:1", "mine").code, Code::kOk);
  std::atomic<int> taken{0}, refused{0};
  ASSERT_EQ(declare({{"q:"}}), Code::kOk);
  for (int i = 0; i < 50; ++i) {
    Write write;
    write.operations = {put_of("q:" + std::to_string(i), "v")};
    store_->submit(std::move(write), [&](Result<std::vector<WriteOutcome>> done) {
      ++(done && done->front().code == Code::kConflict ? refused : taken);
    });
  }
  write(delete_of("barrier"));
  EXPECT_EQ(refused, 50);
  EXPECT_EQ(taken, 0);
}

TEST_F(StoreMirrorTest, RulesHoldFromTheirWriteOnWithinOneGroup) {
  // Submitted together, so that the writer may take them as one group.
  std::atomic<bool> conflict{false};
  Write rules;
  rules.operations = {put_of(kRulesKey, test::rules_value({{"m:"}}))};
  rules.atomic = true;
  rules.mirror = MirrorMark{ns_, "", std::nullopt};
  Write other;
  other.operations = {put_of("m:1", "mine")};
  store_->submit(std::move(rules), [](const auto&) {});
  store_->submit(std::move(other), [&](Result<std::vector<WriteOutcome>> done) {
    conflict = done && done->front().code == Code::kConflict;
  });
  write(delete_of("barrier"));
  EXPECT_TRUE(conflict);
  EXPECT_EQ(mirror_get("m:1"), "not_found");
}

TEST_F(StoreMirrorTest, MalformedRulesAreRefused) {
  mirror();
  const std::string good = test::rules_value({{"m:"}});
  std::vector<test::RuleText> many(1001);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].prefix = "p" + std::to_string(10'000 + i);
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"another format", "\x02" + good.substr(1)},
      {"cut in the prefix", good.substr(0, good.size() - 1)},
      {"cut in the header", good + std::string(5, '\0')},
      {"an unknown flag", test::rules_value({}) + '\x02' + good.substr(2)},
      {"an empty prefix", test::rules_value({{""}})},
      {"a long prefix", test::rules_value({{std::string(513, 'p')}})},
      {"a reserved prefix", test::rules_value({{std::string("\0edged:x", 8)}})},
      {"one that covers reserved keys", test::rules_value({{std::string("\0e", 2)}})},
      {"one twice", test::rules_value({{"a"}, {"b"}, {"a"}})},
      {"too many", test::rules_value(many)},
      {"above 64 KiB",
       test::rules_value(std::vector<test::RuleText>(200, {std::string(400, 'x')}))},
  };
  for (const auto& [name, value] : cases) {
    const WriteOutcome outcome = mirror_write({put_of("m:1", "bad"), put_of(kRulesKey, value)})[1];
    EXPECT_EQ(outcome.code, Code::kInvalidArgument) << name;
    EXPECT_THAT(outcome.message, HasSubstr("rules are malformed")) << name;
  }
  EXPECT_EQ(value_of("m:1"), "one");
  many.resize(1000);
  EXPECT_EQ(declare(many), Code::kOk);
  EXPECT_EQ(store_->mirrors().at(0).rules.size(), 1000u);
  EXPECT_TRUE(store_->mirror_of(ns_, "p10999 and more"));
  EXPECT_FALSE(store_->mirror_of(ns_, "p11000"));
}

TEST_F(StoreMirrorTest, RulesAndPositionAreNotEntriesLikeOthers) {
  mirror();
  Put fleeting = put_of(kRulesKey, test::rules_value({{"m:"}}));
  fleeting.ttl = milliseconds(1000);
  EXPECT_EQ(mirror_write({fleeting}).front().code, Code::kInvalidArgument);
  Touch touch;
  touch.ns = ns_;
  touch.key = kRulesKey;
  touch.ttl = milliseconds(1000);
  EXPECT_EQ(mirror_write({touch}).front().code, Code::kInvalidArgument);
  EXPECT_EQ(mirror_put(kPositionKey, "p"), Code::kInvalidArgument);
  EXPECT_EQ(mirror_write({delete_of(kPositionKey)}).front().code, Code::kOk);
  EXPECT_EQ(store_->mirror_of(ns_, "m:1")->fresh_as_of, std::nullopt);
  EXPECT_EQ(get_code("m:1"), Code::kStale);
}

TEST_F(StoreMirrorTest, TheLongestPrefixOwns) {
  ASSERT_EQ(declare({{"a", 1}, {"a:b", 2}, {"a:b:c", 3}, {"a:c", 4}}), Code::kOk);
  const std::pair<const char*, int> cases[] = {{"a", 1},
                                               {"a:", 1},
                                               {"a:a", 1},
                                               {"a:b", 2},
                                               {"a:b:", 2},
                                               {"a:b:c:d", 3},
                                               {"a:b:d", 2},
                                               {"a:bz", 2},
                                               {"a:c", 4},
                                               {"a:d", 1},
                                               {"az", 1}};
  for (const auto& [key, ttl] : cases) {
    const auto mirror = store_->mirror_of(ns_, key);
    ASSERT_TRUE(mirror) << key;
    EXPECT_EQ(mirror->ttl.count(), ttl) << key;
  }
  EXPECT_FALSE(store_->mirror_of(ns_, "b"));
  EXPECT_FALSE(store_->mirror_of(ns_, ""));
}

TEST_F(StoreMirrorTest, ARestartKeepsRulesAndPosition) {
  mirror();
  reopen();
  EXPECT_EQ(value_of("m:1"), "one");
  EXPECT_EQ(put("m:1", "x").code, Code::kConflict);
  const auto mirrors = store_->mirrors();
  ASSERT_EQ(mirrors.size(), 1u);
  EXPECT_EQ(mirrors[0].ns, ns_);
  EXPECT_EQ(mirrors[0].position, "p1");
  EXPECT_EQ(mirrors[0].fresh_as_of, clock_.wall_now());
  EXPECT_EQ(mirrors[0].rules, (std::vector<MirrorRule>{{"m:", milliseconds(5000), true}}));
  close();
  options_.read_only = true;
  open();
  EXPECT_EQ(value_of("m:1"), "one");
  clock_.advance(milliseconds(6000));
  EXPECT_EQ(get_code("m:1"), Code::kStale);
}

TEST_F(StoreMirrorTest, ClearingAndDeletingDropIt) {
  mirror();
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  EXPECT_TRUE(store_->mirrors().empty());
  EXPECT_EQ(mirror_get(kRulesKey), "not_found");
  EXPECT_EQ(get_code("m:1"), Code::kNotFound);
  EXPECT_EQ(put("m:1", "mine").code, Code::kOk);
  reopen();
  EXPECT_TRUE(store_->mirrors().empty());
  EXPECT_EQ(value_of("m:1"), "mine");
  mirror();
  ASSERT_TRUE(store_->delete_namespace(ns_).ok());
  EXPECT_TRUE(store_->mirrors().empty());
  EXPECT_EQ(get_code("m:1"), Code::kNamespaceNotFound);
}

TEST_F(StoreMirrorTest, NamespacesWithLargeNumbersAreMirroredToo) {
  // Clearing uses up numbers.
  for (int i = 0; i < 1100; ++i) ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  auto late = store_->create_namespace("late", "");
  ASSERT_TRUE(late);
  ASSERT_GT(late->number, 1024u);
  const NamespaceNumber first = std::exchange(ns_, late->number);
  mirror();
  EXPECT_EQ(value_of("m:1"), "one");
  EXPECT_EQ(put("m:1", "x").code, Code::kConflict);
  clock_.advance(milliseconds(6000));
  EXPECT_EQ(get_code("m:1"), Code::kStale);
  ns_ = first;
  EXPECT_EQ(put("m:1", "x").code, Code::kOk);
  ASSERT_TRUE(store_->delete_namespace(late->number).ok());
  EXPECT_FALSE(store_->mirror_of(late->number, "m:1"));
}

}  // namespace
}  // namespace edged::storage
