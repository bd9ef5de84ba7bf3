// SPDX-License-Identifier: Apache-2.0
// The storage engine the build chose (tools/cmake/EdgedRocksdb.cmake): headers of one version with
// the library of another would compile, link, and corrupt memory.
#include <gtest/gtest.h>
#include <rocksdb/version.h>

#include <string>

namespace edged::storage {
namespace {

TEST(EngineTest, LinksTheLibraryOfItsHeaders) {
  const std::string headers = std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) +
                              "." + std::to_string(ROCKSDB_PATCH);
  EXPECT_EQ(rocksdb::GetRocksVersionAsString(), headers);
}

}  // namespace
}  // namespace edged::storage
