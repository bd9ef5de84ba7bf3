// SPDX-License-Identifier: Apache-2.0
// See staged_upload.h.
#include "kvstore/operations/staged_upload.h"

#include <utility>

namespace edged::operations {

StagedUpload::StagedUpload(storage::Store& store,
                           StoragePool& pool,
                           storage::NamespaceNumber ns,
                           StoragePool::Owner owner)
    : store_(store), pool_(pool), ns_(ns), owner_(owner) {}

StagedUpload::~StagedUpload() {
  if (upload_) {
    // Releasing it writes, which nobody who writes may wait for.
    pool_.post_always(owner_,
                      [upload = std::shared_ptr<storage::ValueUpload>(std::move(upload_))] {});
  }
}

void StagedUpload::append(std::string piece, Stored stored) {
  std::deque<Piece> dropped;
  Status failure;
  {
    const std::lock_guard lock(mutex_);
    if (piece.empty() && !stored) return;
    if (failure_.ok()) {
      pending_bytes_ += piece.size();
      pieces_.push_back({std::move(piece), std::move(stored)});
      dropped = schedule();
    } else {
      dropped.push_back({{}, std::move(stored)});
    }
    failure = failure_;
  }
  for (const Piece& one : dropped) {
    if (one.stored) one.stored(failure);
  }
}

void StagedUpload::finish(Finished finished) {
  std::deque<Piece> dropped;
  Status failure;
  {
    const std::lock_guard lock(mutex_);
    finished_ = std::move(finished);
    dropped = schedule();
    failure = failure_;
    if (scheduled_) {
      return;  // the task tells
    }
    finished = std::move(finished_);
  }
  for (const Piece& one : dropped) {
    if (one.stored) one.stored(failure);
  }
  finished(std::move(failure));
}

std::size_t StagedUpload::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return pending_bytes_;
}

// Under mutex_. Answers the pieces that were dropped because the pool is full.
std::deque<StagedUpload::Piece> StagedUpload::schedule() {
  if (scheduled_) return {};
  scheduled_ =
      pool_.post(owner_, StoragePool::Length::kLong, [self = shared_from_this()] { self->work(); });
  if (scheduled_) return {};
  return fail({Code::kBusy, "could not store value: the queue of work for the disk is full"});
}

// Under mutex_.
std::deque<StagedUpload::Piece> StagedUpload::fail(Status why) {
  if (failure_.ok()) failure_ = std::move(why);
  pending_bytes_ = 0;
  return std::exchange(pieces_, {});
}

// One piece, or the end. Then it queues again, behind the other owners.
void StagedUpload::work() {
  Piece piece;
  Finished finished;
  Status failure;
  {
    const std::lock_guard lock(mutex_);
    failure = failure_;
    if (!pieces_.empty()) {
      piece = std::move(pieces_.front());
      pieces_.pop_front();
    } else {
      finished = std::move(finished_);
    }
  }
  if (failure.ok() && !upload_) {
    Result<std::unique_ptr<storage::ValueUpload>> begun = store_.begin_upload(ns_);
    failure = begun ? Status() : begun.error();
    upload_ = begun ? *std::move(begun) : nullptr;
  }
  if (failure.ok() && !piece.bytes.empty()) {
    failure = upload_->append(piece.bytes);
  }
  if (finished) {
    finished(failure.ok() ? upload_->finish() : Result<storage::StagedValue>(failure));
    return;
  }
  std::deque<Piece> dropped;
  {
    const std::lock_guard lock(mutex_);
    pending_bytes_ -= piece.bytes.size();
    if (!failure.ok()) dropped = fail(failure);
    scheduled_ = false;
    if (!pieces_.empty() || finished_) {
      // A refusal now would strand finished_; a release task is never refused.
      scheduled_ = true;
      pool_.post_always(owner_, [self = shared_from_this()] { self->work(); });
    }
  }
  if (piece.stored) piece.stored(failure);
  for (const Piece& one : dropped) {
    if (one.stored) one.stored(failure);
  }
}

}  // namespace edged::operations
