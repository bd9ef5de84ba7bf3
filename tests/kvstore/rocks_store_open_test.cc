// SPDX-License-Identifier: Apache-2.0
// What open_rocks_store says when a directory cannot be used: one line that names it.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using ::testing::HasSubstr;

class RocksStoreOpenTest : public StoreFixture {};

TEST_F(RocksStoreOpenTest, SaysThatTheDirectoryCannotBeMade) {
  std::ofstream(dir_.path() + "/file") << "x";
  options_.data_dir = dir_.path() + "/file/data";
  const auto opened = open_rocks_store(options_);
  EXPECT_EQ(opened.code(), Code::kIoError);
  EXPECT_THAT(opened.error().message(),
              HasSubstr("could not create data directory \"" + options_.data_dir + "\": "));
}

TEST_F(RocksStoreOpenTest, SaysThatTheDirectoryIsAFile) {
  std::ofstream(dir_.path() + "/data") << "x";
  const auto opened = open_rocks_store(options_);
  EXPECT_EQ(opened.code(), Code::kIoError);
  EXPECT_THAT(opened.error().message(), HasSubstr(options_.data_dir));
}

TEST_F(RocksStoreOpenTest, DoesNotCreateUnlessAsked) {
  options_.create_if_missing = false;
  EXPECT_EQ(open_rocks_store(options_).code(), Code::kNotFound);
  options_.create_if_missing = true;
  options_.read_only = true;
  EXPECT_EQ(open_rocks_store(options_).code(), Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir));
}

}  // namespace
}  // namespace edged::storage
