// SPDX-License-Identifier: Apache-2.0
// The queue, and which thread writes its next group. writer_group.cc writes a group.
#include "kvstore/storage/write/writer.h"

#include <algorithm>
#include <future>
#include <utility>

#include "proto/base/log.h"

namespace edged::storage {
namespace {

// A group stops growing here: the last to join would make the first wait, and who comes next waits
// for the group. One that is synced may be larger, for the sync costs as much as many operations.
constexpr std::size_t kGroupOperations = 64;
constexpr std::size_t kSyncedGroupOperations = 256;
constexpr std::size_t kGroupBytes = 8 * 1024 * 1024;
// A thread that commits has other work. It writes at most this many groups, its own included, and
// none that is larger than this: the writer thread does the rest.
constexpr std::size_t kGroupsHere = 4;
constexpr std::size_t kOperationsHere = 256;
constexpr std::size_t kBytesHere = 256 * 1024;
constexpr std::size_t kOperationOverheadBytes = 200;  // the structs and the batch's own bytes

std::size_t bytes_of(const Write& write) {
  std::size_t bytes = 0;
  for (const Operation& operation : write.operations) bytes += payload_bytes(operation);
  return bytes;
}

// Whether the write takes space, rather than giving it back.
bool grows(const Write& write) {
  return std::any_of(write.operations.begin(), write.operations.end(), [](const Operation& op) {
    return !std::holds_alternative<Delete>(op) && !std::holds_alternative<Check>(op);
  });
}

class SingleWrite final : public WriteSet {
 public:
  SingleWrite(Write write, WriteCallback callback) : callback_(std::move(callback)) {
    items.push_back({std::move(write), {}, {}});
  }
  void done(Durability /*durability*/) override {
    Item& item = items.front();
    if (item.status.ok()) {
      callback_(std::move(item.outcomes));
    } else {
      callback_(std::move(item.status));
    }
  }

 private:
  const WriteCallback callback_;
};

}  // namespace

Writer::Writer(Parts parts, Version last_version, Limits limits)
    : parts_(parts), limits_(limits), last_version_(last_version) {
  acknowledge(true);  // opening put everything recovered into synced table files
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
  close_marks();
}

Status Writer::admit(const Write& write, std::size_t bytes) const {
  const std::size_t operations = write.operations.size();
  if (operations == 0 || operations > kOperationsPerWriteMax) {
    return Status(Code::kInvalidArgument, "a write must have 1 to 10000 operations");
  }
  if (write.mirror) {
    Status mark = check_mark(*write.mirror, write.atomic);
    if (!mark.ok()) return mark;
  }
  if (write.atomic && bytes > kAtomicBytesMax) {
    return Status(Code::kTooLarge, "an atomic write must have at most 8 MiB");
  }
  if (bytes + operations * kOperationOverheadBytes > limits_.bytes_max) {
    return Status(Code::kTooLarge, "write is larger than the write queue");
  }
  if (parts_.guard.refuses() && grows(write)) {
    return Status(Code::kDiskFull, parts_.guard.reason());
  }
  return Status();
}

void Writer::submit(Write write, WriteCallback done) {
  take(std::make_shared<SingleWrite>(std::move(write), std::move(done)), false);
}

void Writer::commit(std::shared_ptr<WriteSet> writes) {
  take(std::move(writes), true);
}

void Writer::take(std::shared_ptr<WriteSet> writes, bool here) {
  Item item;
  for (WriteSet::Item& one : writes->items) {
    const std::size_t bytes = bytes_of(one.write);
    one.status = admit(one.write, bytes);
    if (!one.status.ok()) continue;
    item.operations += one.write.operations.size();
    item.sync = item.sync || one.write.durability == Durability::kSync;
    item.bytes += bytes + one.write.operations.size() * kOperationOverheadBytes;
  }
  item.writes = writes;
  Status refused;
  if (item.operations > 0) {
    refused = enqueue(std::move(item), here);
    if (refused.ok()) {
      if (here) write_here();
      return;
    }
  }
  fail(*writes, refused);
  answer(*writes);
}

Status Writer::stage(Stage stage, std::size_t bytes) {
  auto promise = std::make_shared<std::promise<Status>>();
  auto future = promise->get_future();
  Item item;
  item.stage = std::move(stage);
  item.on_staged = [promise](Status status) { promise->set_value(std::move(status)); };
  item.bytes = bytes;
  Status refused = enqueue(std::move(item), false);
  return refused.ok() ? future.get() : refused;
}

bool Writer::run(std::function<void(Version&)> task) {
  std::promise<void> done;
  Item item;
  item.task = [&] {
    task(last_version_);
    acknowledge(true);
    done.set_value();
  };
  if (!enqueue(std::move(item), false).ok()) return false;
  done.get_future().wait();
  return true;
}

// What must not be lost for want of room, tasks and stages, is always taken: those who ask for them
// wait for the answer, so they are few.
Status Writer::enqueue(Item item, bool here) {
  const std::lock_guard lock(mutex_);
  if (closing_) return Status(Code::kUnavailable, "store is closing");
  const bool full = queued_operations_ + item.operations > limits_.operations_max ||
                    queued_bytes_ + item.bytes > limits_.bytes_max;
  if (item.operations != 0 && queued_operations_ != 0 && full) {
    return Status(Code::kBusy, "write queue is full");
  }
  queued_operations_ += item.operations;
  queued_bytes_ += item.bytes;
  queue_.push_back(std::move(item));
  if (!here) {
    thread_wanted_ = true;
    if (state_ == State::kIdle) wake_.notify_one();
  }
  return Status();
}

void Writer::write_here() {
  std::unique_lock lock(mutex_);
  if (state_ != State::kIdle) return;  // who writes takes it along
  state_ = State::kWriting;
  for (std::size_t groups = 0; !queue_.empty(); ++groups) {
    const Item& next = queue_.front();
    const bool large = next.operations > kOperationsHere || next.bytes > kBytesHere;
    if (groups == kGroupsHere || !next.writes || next.sync || large) {
      hand_over();
      return;
    }
    Group group = take_group(false);
    lock.unlock();
    const bool written = write(group, false);
    lock.lock();
    if (!written) {
      handed_over_ = std::move(group);
      hand_over();
      return;
    }
  }
  state_ = State::kIdle;
}

// The writer thread goes on.
void Writer::hand_over() {
  state_ = State::kHandedOver;
  wake_.notify_one();
}

void Writer::loop() {
  const auto has_work = [this] {
    return state_ == State::kHandedOver || (state_ == State::kIdle && (closing_ || thread_wanted_));
  };
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, has_work);
    core_offer_.begin();
    state_ = State::kWriting;
    thread_wanted_ = false;
    while (handed_over_ || !queue_.empty()) {
      Group group = handed_over_ ? *std::exchange(handed_over_, std::nullopt) : take_group(true);
      lock.unlock();
      if (group.items.front().task) {
        group.items.front().task();
      } else {
        (void)write(group, true);
        core_offer_.piece_done();
      }
      lock.lock();
    }
    state_ = State::kIdle;
    if (closing_) return;
  }
}

// What waits, up to a group's bounds; a task comes alone. `may_wait` false: nothing large, and
// nothing that has to wait for the disk.
Writer::Group Writer::take_group(bool may_wait) {
  Group group;
  const std::size_t bytes_max = may_wait ? kGroupBytes : kBytesHere;
  std::size_t operations_max = kGroupOperations;
  while (!queue_.empty() && group.operations < operations_max && group.bytes < kGroupBytes) {
    const Item& next = queue_.front();
    if (!may_wait && (!next.writes || next.sync)) break;
    if (next.task && !group.items.empty()) break;
    if (!group.items.empty() && group.bytes + next.bytes > bytes_max) break;
    group.operations += next.operations;
    group.bytes += next.bytes;
    group.sync = group.sync || next.sync;
    if (group.sync) operations_max = kSyncedGroupOperations;
    group.items.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (group.items.back().task) break;
  }
  return group;
}

void Writer::refresh_mark() {
  {
    const std::lock_guard lock(mark_mutex_);
    mark_.clock = parts_.clock.mark();
    parts_.mark_file.write(mark_, false);
    if (std::exchange(durable_sequence_, mark_.synced_sequence) == mark_.synced_sequence) return;
  }
  parts_.mark_file.sync();  // outside the lock: who writes must not wait for it
}

void Writer::close_marks() {
  const Status flushed = parts_.database.flush();
  if (!flushed.ok()) log::error("storage: " + flushed.message());
  const std::lock_guard lock(mark_mutex_);
  mark_.clean = flushed.ok();
  if (mark_.clean) mark_.synced_sequence = mark_.acknowledged_sequence;
  mark_.clock = parts_.clock.mark();
  parts_.mark_file.write(mark_, true);
}

Writer::Counts Writer::counts() const {
  return {writes_.load(std::memory_order_relaxed),
          syncs_.load(std::memory_order_relaxed),
          groups_.load(std::memory_order_relaxed)};
}

}  // namespace edged::storage
