// SPDX-License-Identifier: Apache-2.0
// A value that arrives in fragments: handed to the store piece by piece on the storage pool, before
// the Put that names it. append() and finish() are the reactor's; the store is only touched by the
// pool, also when the upload is given up. Shared: destroy the last reference anywhere, the store's
// part is released on the pool, which must outlive it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "kvstore/operations/storage_pool.h"
#include "kvstore/server/completion.h"
#include "kvstore/storage/store.h"

namespace edged::server {

class StagedUpload : public std::enable_shared_from_this<StagedUpload> {
 public:
  using Finished = std::function<void(Result<storage::StagedValue>)>;

  // `progress` is the connection: it is woken whenever pending_bytes() has gone down, and its work
  // on the pool has the connection's turn, however many uploads the connection has.
  StagedUpload(storage::Store& store,
               operations::StoragePool& pool,
               storage::NamespaceNumber ns,
               std::weak_ptr<Completion> progress);
  ~StagedUpload();
  StagedUpload(const StagedUpload&) = delete;
  StagedUpload& operator=(const StagedUpload&) = delete;

  // After a failure pieces are dropped, and finish() tells it.
  void append(std::string piece);
  // Call once, last. `finished` runs on the pool, or here if the pool is full (kBusy).
  void finish(Finished finished);
  // Bytes not yet with the store.
  std::size_t pending_bytes() const;

 private:
  void schedule();
  void work();

  storage::Store& store_;
  operations::StoragePool& pool_;
  const storage::NamespaceNumber ns_;
  const std::weak_ptr<Completion> progress_;
  const operations::StoragePool::Owner owner_;

  mutable std::mutex mutex_;  // guards all below but upload_
  std::deque<std::string> pieces_;
  std::size_t pending_bytes_ = 0;
  Finished finished_;
  bool scheduled_ = false;
  Status failure_;
  std::unique_ptr<storage::ValueUpload> upload_;  // of the task that runs
};

}  // namespace edged::server
