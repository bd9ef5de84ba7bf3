// SPDX-License-Identifier: Apache-2.0
// See log_syncer.h.
#include "kvstore/storage/log_syncer.h"

#include <utility>

#include "kvstore/storage/rocks_status.h"

namespace edged::storage {

LogSyncer::LogSyncer(Database& database,
                     std::function<void(const Status&, std::uint64_t sequence)> on_sync)
    : database_(database), on_sync_(std::move(on_sync)) {
  thread_ = std::thread([this] { loop(); });
}

LogSyncer::~LogSyncer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogSyncer::add(Answer answer) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.push_back(std::move(answer));
  }
  if (first) wake_.notify_one();
}

void LogSyncer::loop() {
  for (;;) {
    std::vector<Answer> answers;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      answers.swap(waiting_);
    }
    const std::uint64_t sequence = database_.db().GetLatestSequenceNumber();
    const auto synced = database_.db().SyncWAL();
    syncs_.fetch_add(1, std::memory_order_relaxed);
    const Status status = synced.ok() ? Status()
                                      : from_rocksdb(synced,
                                                     "could not put the log on disk, it is "
                                                     "not known whether the write is there");
    on_sync_(status, sequence);
    for (const Answer& answer : answers) answer(status);
  }
}

}  // namespace edged::storage
