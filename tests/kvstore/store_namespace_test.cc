// SPDX-License-Identifier: Apache-2.0
// Renaming, clearing and deleting namespaces: at once for the caller, for ever, and the disk comes
// back in the background.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;

class StoreNamespaceTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    options_.reclaim_interval = milliseconds(5);
    open();
  }

  void fill(int entries) {
    for (int first = 0; first < entries; first += 1000) {
      std::vector<Operation> operations;
      for (int i = first; i < std::min(entries, first + 1000); ++i) {
        operations.push_back(put_of("key" + std::to_string(i), std::string(100, 'v')));
      }
      write_all(std::move(operations), false);
    }
    put("large", std::string(1'000'000, 'x'));
  }

  // Polls a figure of the background's work; the test's time limit ends what never comes.
  void wait_until_on_disk(std::uint64_t keys_at_most) {
    while (store_->stats().keys_estimate > keys_at_most) {
      std::this_thread::sleep_for(milliseconds(2));
    }
  }

  std::size_t listed() {
    const auto page = store_->list({ns_, "", "", 1000, false});
    EXPECT_TRUE(page);
    return page ? page->items.size() : 0;
  }
};

// Those with small numbers are looked up another way.
TEST_F(StoreNamespaceTest, NamespacesWithLargeNumbersAreLikeOthers) {
  NamespaceNumber last = 0;
  for (int i = 0; i < 1025; ++i) {
    const auto created = store_->create_namespace("n" + std::to_string(i), "");
    ASSERT_TRUE(created) << created.error().to_string();
    last = created->number;
  }
  ASSERT_GT(last, 1024u);
  for (const NamespaceNumber ns : {last, NamespaceNumber{1023}, NamespaceNumber{1024}}) {
    ns_ = ns;
    put("k", "value");
    EXPECT_EQ(value_of("k"), "value") << ns;
    reopen();
    ns_ = ns;
    EXPECT_EQ(value_of("k"), "value") << ns;
    EXPECT_TRUE(store_->clear_namespace(ns).ok());
    EXPECT_EQ(value_of("k"), "(none)") << ns;
    EXPECT_TRUE(store_->delete_namespace(ns).ok());
    EXPECT_EQ(get_code("k"), Code::kNamespaceNotFound) << ns;
  }
}

TEST_F(StoreNamespaceTest, ClearingEmptiesAtOnceAndGivesTheDiskBack) {
  const Namespace before = store_->list_namespaces().front();
  const auto other = store_->create_namespace("other", "");
  Put kept = put_of("kept", "v");
  kept.ns = other->number;
  write(kept);
  fill(5000);
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  EXPECT_EQ(listed(), 0U);
  EXPECT_EQ(live_keys(), 0U);
  EXPECT_EQ(value_of("key1"), "(none)");
  put("key1", "new");
  EXPECT_EQ(value_of("key1"), "new");
  const auto after = store_->find_namespace(before.id);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->number, before.number);
  EXPECT_EQ(after->title, before.title);
  wait_until_on_disk(2);
  EXPECT_EQ(value_of("key1"), "new");
  EXPECT_TRUE(store_->get(other->number, "kept", ReadTier::kDisk));
  EXPECT_EQ(listed(), 1U);
}

TEST_F(StoreNamespaceTest, ACursorOfBeforeTheClearingGoesOnInTheNewContent) {
  fill(2000);
  const auto page = store_->list({ns_, "", "", 10, false});
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  put("zz", "v");
  const auto next = store_->list({ns_, "", page->next_after, 10, false});
  ASSERT_TRUE(next);
  ASSERT_EQ(next->items.size(), 1U);
  EXPECT_EQ(next->items[0].key, "zz");
}

TEST_F(StoreNamespaceTest, DeletingFreesIdAndTitleAndNothingComesBack) {
  const Namespace old = store_->list_namespaces().front();
  fill(100);
  ASSERT_TRUE(store_->delete_namespace(ns_).ok());
  EXPECT_EQ(store_->delete_namespace(ns_).code(), Code::kNamespaceNotFound);
  EXPECT_EQ(store_->clear_namespace(ns_).code(), Code::kNamespaceNotFound);
  EXPECT_EQ(store_->rename_namespace(ns_, "x").code(), Code::kNamespaceNotFound);
  EXPECT_EQ(get_code("key1"), Code::kNamespaceNotFound);
  EXPECT_EQ(put("key1", "v").code, Code::kNamespaceNotFound);
  EXPECT_EQ(store_->usage(ns_).code(), Code::kNamespaceNotFound);
  const auto again = store_->create_namespace(old.title, old.id);
  ASSERT_TRUE(again);
  EXPECT_NE(again->number, old.number);
  ns_ = again->number;
  EXPECT_EQ(listed(), 0U);
  reopen();
  EXPECT_EQ(listed(), 0U);
  wait_until_on_disk(0);
}

TEST_F(StoreNamespaceTest, WhatWasClearedStaysSoOverARestartBeforeTheDiskIsBack) {
  options_.reclaim_interval = std::chrono::hours(1);
  reopen();
  fill(3000);
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  reopen();
  EXPECT_EQ(listed(), 0U);
  options_.reclaim_interval = milliseconds(5);
  reopen();
  wait_until_on_disk(0);
}

TEST_F(StoreNamespaceTest, RenamingChangesTheTitleAlone) {
  const Namespace before = store_->list_namespaces().front();
  put("k", "v");
  const auto other = store_->create_namespace("other", "");
  EXPECT_EQ(store_->rename_namespace(ns_, "other").code(), Code::kExists);
  EXPECT_EQ(store_->rename_namespace(ns_, "").code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->rename_namespace(ns_, std::string(513, 't')).code(), Code::kInvalidArgument);
  EXPECT_TRUE(store_->rename_namespace(ns_, before.title).ok()) << "its own title is no conflict";
  ASSERT_TRUE(store_->rename_namespace(ns_, "renamed").ok());
  reopen();
  const auto found = store_->find_namespace("renamed");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, before.id);
  EXPECT_EQ(found->created_at, before.created_at);
  EXPECT_EQ(store_->find_namespace(before.title).code(), Code::kNamespaceNotFound);
  ns_ = found->number;
  EXPECT_EQ(value_of("k"), "v");
}

TEST_F(StoreNamespaceTest, ClearsWhileOthersWrite) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) put("k" + std::to_string(i % 100), std::string(70'000, 'v'));
  });
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(store_->clear_namespace(ns_).ok());
    for (int key = 0; key < 100; ++key) {
      const auto entry = store_->get(ns_, "k" + std::to_string(key), ReadTier::kDisk);
      ASSERT_TRUE(entry || entry.code() == Code::kNotFound) << entry.error().to_string();
    }
  }
  stop = true;
  writer.join();
  ASSERT_TRUE(store_->clear_namespace(ns_).ok());
  wait_until_on_disk(0);
  EXPECT_EQ(live_keys(), 0U);
}

TEST_F(StoreNamespaceTest, TheVersionMovesWithEachChangeOfIdsAndTitles) {
  std::uint64_t last = store_->namespaces_version();
  const auto moved = [&] {
    const std::uint64_t before = std::exchange(last, store_->namespaces_version());
    return last != before;
  };
  const auto made = store_->create_namespace("made", "");
  ASSERT_TRUE(made);
  EXPECT_TRUE(moved());
  ASSERT_TRUE(store_->rename_namespace(made->number, "renamed").ok());
  EXPECT_TRUE(moved());
  ASSERT_TRUE(store_->clear_namespace(made->number).ok());
  put("key", "value");
  EXPECT_FALSE(moved());
  ASSERT_TRUE(store_->delete_namespace(made->number).ok());
  EXPECT_TRUE(moved());
}

}  // namespace
}  // namespace edged::storage
