// SPDX-License-Identifier: Apache-2.0
// Lists (kvstore/storage/store.h) on RocksDB: order, pages and their bounds.
#include <gmock/gmock.h>

#include <cstdio>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::seconds;

class StoreListTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }
};

TEST_F(StoreListTest, ListsByPrefixInByteOrderPageByPage) {
  for (const char* key : {"b", "a", "ab", "aa", "\xff", "a\xff", "a\xff\xff"}) put(key, "12345");
  const auto other = store_->create_namespace("other", "");
  Put operation = put_of("a0", "x");
  operation.ns = other->number;
  write(operation);
  std::vector<std::string> keys;
  ListRequest request{ns_, "a", "", 2, false};
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = store_->list(request);
    ASSERT_TRUE(page);
    for (const auto& item : page->items) {
      keys.push_back(item.key);
      EXPECT_EQ(item.value_bytes, 5U);
      EXPECT_TRUE(item.entry.value.empty());
    }
    if (page->complete) break;
    request.start_after = page->next_after;
  }
  EXPECT_THAT(keys, ::testing::ElementsAre("a", "aa", "ab", "a\xff", "a\xff\xff"));
  request = {ns_, "", "b", 1000, true};
  EXPECT_EQ(store_->list(request)->items.at(0).entry.value, "12345");
  request.limit = 1001;
  EXPECT_EQ(store_->list(request).code(), Code::kInvalidArgument);
}

TEST_F(StoreListTest, APageEndsBeforeItsBytesAreTooMany) {
  for (const char* key : {"a", "b", "c", "d"}) write(put_of(key, std::string(100, 'v')));
  write(put_of("big", std::string(1000, 'v')));
  ListRequest request{ns_, "", "", 1000, true};
  request.bytes_max = 230;
  request.item_bytes = 10;  // so that an item of one byte's key counts 111
  std::vector<std::string> pages;
  for (int i = 0; i < 10; ++i) {
    const auto page = store_->list(request);
    ASSERT_TRUE(page);
    std::string text;
    for (const auto& item : page->items) {
      text += item.key + ":" + std::to_string(item.entry.value.size()) + "/" +
              std::to_string(item.value_bytes) + " ";
    }
    pages.push_back(text);
    if (page->complete) break;
    request.start_after = page->next_after;
  }
  EXPECT_THAT(
      pages, ::testing::ElementsAre("a:100/100 b:100/100 ", "big:0/1000 ", "c:100/100 d:100/100 "));
  request.start_after = "d";
  write(put_of("e", std::string(1000, 'v')));
  const auto last = store_->list(request);
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->complete) << "nothing is behind the value that was left out";
}

TEST_F(StoreListTest, AListOverManyExpiredEntriesEndsEarlyWithACursor) {
  for (int batch = 0; batch < 3; ++batch) {
    Write write;
    for (int i = 0; i < 5000; ++i) {
      char key[16];
      std::snprintf(key, sizeof(key), "k%05d", batch * 5000 + i);
      Put operation = put_of(key, "v");
      operation.ttl = seconds(1);
      write.operations.push_back(operation);
    }
    std::promise<Code> promise;
    store_->submit(std::move(write), [&](auto result) { promise.set_value(result.code()); });
    ASSERT_EQ(promise.get_future().get(), Code::kOk);
  }
  put("z", "alive");
  clock_.advance(seconds(2));
  const auto page = store_->list({ns_, "", "", 10, false});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->items.empty());
  EXPECT_FALSE(page->complete);
  EXPECT_EQ(page->next_after, "k09999");
  const auto rest = store_->list({ns_, "", page->next_after, 10, false});
  ASSERT_EQ(rest->items.size(), 1U);
  EXPECT_EQ(rest->items[0].key, "z");
  EXPECT_TRUE(rest->complete);
}

TEST_F(StoreListTest, AListWithLargeValuesEndsEarly) {
  for (int i = 0; i < 4; ++i) put("k" + std::to_string(i), std::string(5 << 20, 'v'));
  const auto page = store_->list({ns_, "", "", 1000, true});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->items.size(), 1U) << "a second would be above 8 MiB";
  EXPECT_FALSE(page->complete);
}

}  // namespace
}  // namespace edged::storage
