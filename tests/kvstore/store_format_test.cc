// SPDX-License-Identifier: Apache-2.0
// Stores of other releases: an older format is upgraded, a later one is left alone. The older store
// is made from a new one by taking away what the old release did not write.
#include <gmock/gmock.h>
#include <rocksdb/db.h>

#include <vector>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using ::testing::HasSubstr;

class StoreFormatTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
    put("ever", "v");
    put("hour", "value", std::chrono::hours(1));
    put("gone", "v", std::chrono::seconds(1));
    close();
  }

  // Changes the closed store by RocksDB itself.
  void write_format(char number, bool as_first_release) {
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {rocksdb::kDefaultColumnFamilyName, {}}, {"meta", {}}, {"bodies", {}}};
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const auto status =
        rocksdb::DB::Open({}, options_.data_dir + "/db", families, &handles, &opened);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::ColumnFamilyHandle* meta = handles[1];
    ASSERT_TRUE(db->Put({}, meta, "format", std::string{number, 0, 0, 0}).ok());
    if (as_first_release) {
      ASSERT_TRUE(db->DeleteRange({}, meta, "c", "d").ok());
      ASSERT_TRUE(db->DropColumnFamily(handles[2]).ok());
    }
    for (auto* handle : handles) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  }
};

TEST_F(StoreFormatTest, TheFirstFormatIsCountedAndUpgradedOnce) {
  write_format(1, true);
  clock_.advance(std::chrono::seconds(2));
  open();
  EXPECT_EQ(value_of("ever"), "v");
  EXPECT_EQ(live_keys(), 2U);
  EXPECT_EQ(store_->usage(ns_)->bytes, 4U + 1 + 4 + 5);
  put("large", std::string(100'000, 'v'));
  reopen();
  EXPECT_EQ(live_keys(), 3U);
  EXPECT_EQ(value_of("large").size(), 100'000U);
}

TEST_F(StoreFormatTest, ALaterFormatIsNotOpened) {
  write_format(3, false);
  const auto opened = open_rocks_store(options_);
  EXPECT_EQ(opened.code(), Code::kUnsupported);
  EXPECT_THAT(opened.error().message(),
              HasSubstr("another release of edged wrote it, in another format"));
}

}  // namespace
}  // namespace edged::storage
