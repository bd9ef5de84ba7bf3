// SPDX-License-Identifier: Apache-2.0
// The writes that a face on reactors of its own has read in one pass over its connections, to be
// given to the store together (storage::WriteSet): with nobody else writing, the store writes on
// the calling thread and every answer is there when commit() returns.
//   auto pass = operations.begin_pass();
//   operations.collect(*pass, caller, std::move(write), done);   // for each
//   operations.commit(std::move(pass));                           // once
// One thread collects; answers come on whichever thread wrote.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "kvstore/operations/caller.h"
#include "kvstore/operations/done.h"
#include "kvstore/storage/store.h"

namespace edged::operations {

struct Shared;

class WritePass final : public storage::WriteSet {
 public:
  using WriteDone = Done<std::vector<storage::WriteOutcome>>;

  // Made by Operations::begin_pass().
  explicit WritePass(Shared& shared) : shared_(shared) {}
  WritePass(const WritePass&) = delete;
  WritePass& operator=(const WritePass&) = delete;

  bool empty() const { return items.empty(); }
  // Of all writes collected.
  std::size_t operations() const { return operations_; }

  void done(storage::Durability durability) override;

 private:
  friend class Operations;
  struct Asked {
    WriteDone done;
    std::chrono::steady_clock::time_point start;
    std::size_t bytes = 0;
    Face face = Face::kBinary;
    Kind kind = Kind::kBatch;
    bool atomic = false;
  };

  void add(storage::Write write, Asked asked);
  void answer(Item& item, Asked& asked);

  Shared& shared_;
  std::vector<Asked> asked_;  // of each item
  std::size_t operations_ = 0;
};

}  // namespace edged::operations
