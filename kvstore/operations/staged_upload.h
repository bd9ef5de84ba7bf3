// SPDX-License-Identifier: Apache-2.0
// A value that arrives in pieces: handed to the store piece by piece on the storage pool, before
// the Put that names it. append() and finish() are one thread's at a time; the store is only
// touched by the pool, also when the upload is given up. Shared: destroy the last reference
// anywhere, the store's part is released on the pool, which must outlive it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "kvstore/operations/storage_pool.h"
#include "kvstore/storage/store.h"

namespace edged::operations {

class StagedUpload : public std::enable_shared_from_this<StagedUpload> {
 public:
  using Stored = std::function<void(const Status&)>;
  using Finished = std::function<void(Result<storage::StagedValue>)>;

  // The work on the pool has `owner`'s turn, however many uploads the owner has.
  StagedUpload(storage::Store& store,
               StoragePool& pool,
               storage::NamespaceNumber ns,
               StoragePool::Owner owner);
  ~StagedUpload();
  StagedUpload(const StagedUpload&) = delete;
  StagedUpload& operator=(const StagedUpload&) = delete;

  // `stored`, if there is one, is called once: on the pool when the piece is with the store, or
  // when it is known that it will not be, perhaps at once. After a failure pieces are dropped, and
  // finish() tells it. An empty piece with a `stored` only begins the upload.
  void append(std::string piece, Stored stored = {});
  // Call once, last. `finished` runs on the pool, or here if the pool is full (kBusy).
  void finish(Finished finished);
  // Bytes not yet with the store.
  std::size_t pending_bytes() const;

 private:
  struct Piece {
    std::string bytes;
    Stored stored;
  };

  std::deque<Piece> schedule();
  std::deque<Piece> fail(Status why);
  void work();

  storage::Store& store_;
  StoragePool& pool_;
  const storage::NamespaceNumber ns_;
  const StoragePool::Owner owner_;

  mutable std::mutex mutex_;  // guards all below but upload_
  std::deque<Piece> pieces_;
  std::size_t pending_bytes_ = 0;
  Finished finished_;
  bool scheduled_ = false;
  Status failure_;
  std::unique_ptr<storage::ValueUpload> upload_;  // of the task that runs
};

}  // namespace edged::operations
