// SPDX-License-Identifier: Apache-2.0
// The part of store.h that is the same for every store.
#include "kvstore/storage/store.h"

#include <future>
#include <memory>
#include <utility>

namespace edged::storage {

Result<WriteOutcome> write_and_wait(Store& store, Operation operation, Durability durability) {
  // Shared, since the callback may still be inside set_value when get() returns.
  auto promise = std::make_shared<std::promise<Result<std::vector<WriteOutcome>>>>();
  auto future = promise->get_future();
  Write write;
  write.operations.push_back(std::move(operation));
  write.durability = durability;
  store.submit(std::move(write), [promise](Result<std::vector<WriteOutcome>> result) {
    promise->set_value(std::move(result));
  });
  auto result = future.get();
  if (!result) return result.error();
  return std::move(result->front());
}

}  // namespace edged::storage
