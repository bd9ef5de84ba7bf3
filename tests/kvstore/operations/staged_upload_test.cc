// SPDX-License-Identifier: Apache-2.0
#include "kvstore/operations/staged_upload.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/clock.h"
#include "tests/support/memory_store.h"

namespace edged::operations {
namespace {

// Takes uploads and notes the pieces in the order in which they reach it.
class UploadStore final : public test::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  Result<std::unique_ptr<storage::ValueUpload>> begin_upload(storage::NamespaceNumber) override {
    return std::unique_ptr<storage::ValueUpload>(std::make_unique<Upload>(order));
  }
  std::string order;  // of the only pool thread

 private:
  class Upload final : public storage::ValueUpload {
   public:
    explicit Upload(std::string& order) : order_(order) {}
    Status append(std::string_view piece) override {
      order_ += piece;
      return {};
    }
    Result<storage::StagedValue> finish() override { return storage::StagedValue{}; }

   private:
    std::string& order_;
  };
};

TEST(StagedUploadTest, UploadsOfAConnectionShareItsTurn) {
  SystemClock clock;
  UploadStore store(clock);
  const int many = 0, one = 0;  // owners
  {
    StoragePool pool(1, 100);
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    pool.post(&pool, StoragePool::Length::kLong, [released] { released.wait(); });
    std::vector<std::shared_ptr<StagedUpload>> uploads;
    for (int i = 0; i < 4; ++i) {
      uploads.push_back(std::make_shared<StagedUpload>(store, pool, 1, &many));
      uploads.back()->append("a");
      uploads.back()->append("a");
    }
    uploads.push_back(std::make_shared<StagedUpload>(store, pool, 1, &one));
    uploads.back()->append("b");
    uploads.back()->append("b");
    release.set_value();
    uploads.clear();  // the tasks hold what they still need
  }
  // Each turn of the connection with four uploads is one piece, as is that of the other.
  EXPECT_EQ(store.order, "ababaaaaaa");
}

}  // namespace
}  // namespace edged::operations
