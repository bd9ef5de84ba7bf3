// SPDX-License-Identifier: Apache-2.0
// See staged_upload.h.
#include "kvstore/server/staged_upload.h"

#include <utility>

namespace edged::server {

StagedUpload::StagedUpload(storage::Store& store,
                           operations::StoragePool& pool,
                           storage::NamespaceNumber ns,
                           std::weak_ptr<Completion> progress)
    : store_(store),
      pool_(pool),
      ns_(ns),
      progress_(std::move(progress)),
      owner_(progress_.lock().get()) {}

StagedUpload::~StagedUpload() {
  if (upload_) {
    // Releasing it writes, which the writer thread must not wait for.
    pool_.post_always(owner_,
                      [upload = std::shared_ptr<storage::ValueUpload>(std::move(upload_))] {});
  }
}

void StagedUpload::append(std::string piece) {
  const std::lock_guard lock(mutex_);
  if (!failure_.ok() || piece.empty()) {
    return;
  }
  pending_bytes_ += piece.size();
  pieces_.push_back(std::move(piece));
  schedule();
}

void StagedUpload::finish(Finished finished) {
  Status failure;
  {
    const std::lock_guard lock(mutex_);
    finished_ = std::move(finished);
    schedule();
    failure = failure_;
    if (scheduled_) {
      return;  // the task tells
    }
    finished = std::move(finished_);
  }
  finished(std::move(failure));
}

std::size_t StagedUpload::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return pending_bytes_;
}

// Under mutex_.
void StagedUpload::schedule() {
  if (scheduled_) {
    return;
  }
  scheduled_ = pool_.post(owner_,
                          operations::StoragePool::Length::kLong,
                          [self = shared_from_this()] { self->work(); });
  if (!scheduled_ && failure_.ok()) {
    failure_ = Status(Code::kBusy, "could not store value: the queue of work for the disk is full");
    pieces_.clear();
    pending_bytes_ = 0;
  }
}

// One piece, or the end. Then it queues again, behind the other connections.
void StagedUpload::work() {
  std::string piece;
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
  if (failure.ok() && !piece.empty()) {
    failure = upload_->append(piece);
  }
  if (finished) {
    finished(failure.ok() ? upload_->finish() : Result<storage::StagedValue>(failure));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    pending_bytes_ -= piece.size();
    if (!failure.ok() && failure_.ok()) {
      failure_ = std::move(failure);
      pieces_.clear();
      pending_bytes_ = 0;
    }
    scheduled_ = false;
    if (!pieces_.empty() || finished_) {
      // A refusal now would strand finished_; a release task is never refused.
      scheduled_ = true;
      pool_.post_always(owner_, [self = shared_from_this()] { self->work(); });
    }
  }
  if (const std::shared_ptr<Completion> progress = progress_.lock()) {
    progress->wake();
  }
}

}  // namespace edged::server
