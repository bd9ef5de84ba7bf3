// SPDX-License-Identifier: Apache-2.0
// A Store in a std::map, for tests of what stands above storage. Writes are carried out by a writer
// thread, in order, as the real store does; hold_writes keeps them waiting until release_writes.
// Reads answer kBusy in memory while only_disk is set. It knows no mirrors: no key is owned or
// reserved. Any thread may call every method.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kvstore/storage/store.h"
#include "proto/base/hex.h"

namespace edged::test {

class MemoryStore : public storage::Store {
 public:
  explicit MemoryStore(const Clock& clock) : clock_(clock), writer_([this] { write_loop(); }) {}
  ~MemoryStore() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      held_ = false;
    }
    changed_.notify_all();
    writer_.join();
  }

  void hold_writes() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release_writes() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  std::size_t waiting_writes() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  std::atomic<bool> only_disk{false};
  // What submit answers at once instead of queueing; kOk: nothing.
  std::atomic<Code> refuse{Code::kOk};

  Result<storage::Entry> get(storage::NamespaceNumber ns,
                             std::string_view key,
                             storage::ReadTier tier,
                             storage::Reader /*reader*/ = storage::Reader::kAnyone) const override {
    if (only_disk && tier == storage::ReadTier::kMemory) {
      return Status(Code::kBusy, "not in memory");
    }
    const std::lock_guard lock(mutex_);
    if (!spaces_.contains(ns)) {
      return no_namespace();
    }
    const storage::Entry* entry = find(ns, key);
    return entry != nullptr ? Result<storage::Entry>(*entry)
                            : Result<storage::Entry>(Status(Code::kNotFound, "no such key"));
  }

  Result<storage::ListPage> list(const storage::ListRequest& request) const override {
    const std::lock_guard lock(mutex_);
    if (!spaces_.contains(request.ns)) {
      return no_namespace();
    }
    storage::ListPage page;
    std::size_t bytes = 0;
    for (const auto& [key, entry] : entries_) {
      if (key.first != request.ns || !key.second.starts_with(request.prefix) ||
          (!request.start_after.empty() && key.second <= request.start_after) ||
          find(key.first, key.second) == nullptr) {
        continue;
      }
      const std::size_t value_bytes = request.with_values ? entry.value.size() : 0;
      bytes += key.second.size() + entry.metadata.size() + value_bytes + request.item_bytes;
      const bool fits = bytes <= request.bytes_max;
      if (page.items.size() == request.limit || (!fits && !page.items.empty())) {
        page.complete = false;
        page.next_after = page.items.back().key;
        break;
      }
      storage::ListItem item{key.second, entry, entry.value.size()};
      if (!request.with_values || !fits) {
        item.entry.value.clear();
      }
      page.items.push_back(std::move(item));
    }
    return page;
  }

  void submit(storage::Write write, storage::WriteCallback done) override {
    if (refuse.load() != Code::kOk) {
      done(Status(refuse.load(), "refused"));
      return;
    }
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(write), std::move(done));
    changed_.notify_all();
  }

  Result<storage::Namespace> create_namespace(std::string title, std::string id) override {
    if (title.empty() || (!id.empty() && id.size() != 32)) {
      return Status(Code::kInvalidArgument, "could not create namespace");
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [number, space] : spaces_) {
      if (space.title == title || space.id == id) {
        return Status(Code::kExists, "could not create namespace: title or id in use");
      }
    }
    storage::Namespace space;
    space.number = ++last_number_;
    space.id = id.empty() ? to_hex(random_bytes(16)) : id;
    space.title = std::move(title);
    space.created_at = clock_.wall_now();
    spaces_[space.number] = space;
    ++namespaces_version_;
    return space;
  }

  Status rename_namespace(storage::NamespaceNumber ns, std::string title) override {
    const std::lock_guard lock(mutex_);
    const auto found = spaces_.find(ns);
    if (found == spaces_.end()) {
      return no_namespace();
    }
    found->second.title = std::move(title);
    ++namespaces_version_;
    return {};
  }

  Status delete_namespace(storage::NamespaceNumber ns) override {
    const std::lock_guard lock(mutex_);
    if (spaces_.erase(ns) == 0) {
      return no_namespace();
    }
    std::erase_if(entries_, [ns](const auto& entry) { return entry.first.first == ns; });
    ++namespaces_version_;
    return {};
  }

  std::uint64_t namespaces_version() const override { return namespaces_version_; }

  std::vector<storage::Namespace> list_namespaces() const override {
    const std::lock_guard lock(mutex_);
    std::vector<storage::Namespace> all;
    for (const auto& [number, space] : spaces_) {
      all.push_back(space);
    }
    return all;
  }

  Result<storage::Namespace> find_namespace(std::string_view id_or_title) const override {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, space] : spaces_) {
      if (space.id == id_or_title || space.title == id_or_title) {
        return space;
      }
    }
    return no_namespace();
  }

  storage::StoreStats stats() const override {
    storage::StoreStats stats;
    stats.engine = "memory";
    const std::lock_guard lock(mutex_);
    stats.keys_estimate = entries_.size();
    return stats;
  }

 private:
  using Key = std::pair<storage::NamespaceNumber, std::string>;

  static Status no_namespace() { return {Code::kNamespaceNotFound, "no such namespace"}; }

  const storage::Entry* find(storage::NamespaceNumber ns, std::string_view key) const {
    const auto found = entries_.find(Key(ns, std::string(key)));
    const bool live = found != entries_.end() &&
                      (!found->second.expires_at || *found->second.expires_at > clock_.wall_now());
    return live ? &found->second : nullptr;
  }

  void write_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || (!held_ && !queue_.empty()); });
      if (queue_.empty()) {
        return;
      }
      auto [write, done] = std::move(queue_.front());
      queue_.pop_front();
      std::vector<storage::WriteOutcome> outcomes;
      for (const storage::Operation& operation : write.operations) {
        outcomes.push_back(std::visit([this](const auto& one) { return apply(one); }, operation));
      }
      lock.unlock();
      done(std::move(outcomes));
      lock.lock();
    }
  }

  template <typename Op>
  storage::WriteOutcome judge(const Op& op) const {
    using storage::Condition;
    const storage::Entry* found = find(op.ns, op.key);
    if (!spaces_.contains(op.ns)) {
      return {Code::kNamespaceNotFound, "no such namespace", 0};
    }
    if (op.condition == Condition::kAbsent && found != nullptr) {
      return {Code::kExists, "key exists", found->version};
    }
    const bool needs_entry = std::is_same_v<Op, storage::Delete>;
    if (found == nullptr && (op.condition == Condition::kPresent ||
                             (op.condition == Condition::kVersion && needs_entry))) {
      return {Code::kNotFound, "no such key", 0};
    }
    const storage::Version version = found == nullptr ? 0 : found->version;
    if (op.condition == Condition::kVersion && (found == nullptr || version != op.version)) {
      return {Code::kVersionMismatch, "another version", version};
    }
    return {};
  }

  storage::WriteOutcome apply(const storage::Put& put) {
    storage::WriteOutcome outcome = judge(put);
    if (outcome.code == Code::kOk) {
      outcome.version = ++last_version_;
      storage::Entry entry{put.value, put.metadata, put.expires_at, outcome.version};
      if (put.ttl) {
        entry.expires_at = clock_.wall_now() + *put.ttl;
      }
      entries_[Key(put.ns, put.key)] = std::move(entry);
    }
    return outcome;
  }

  storage::WriteOutcome apply(const storage::Delete& remove) {
    storage::WriteOutcome outcome = judge(remove);
    if (outcome.code == Code::kOk) {
      entries_.erase(Key(remove.ns, remove.key));
    }
    return outcome;
  }

  template <typename Other>
  storage::WriteOutcome apply(const Other& /*operation*/) {
    return {Code::kUnsupported, "this store only puts and deletes", 0, {}, {}};
  }

  const Clock& clock_;
  std::atomic<std::uint64_t> namespaces_version_{1};
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::map<Key, storage::Entry> entries_;
  std::map<storage::NamespaceNumber, storage::Namespace> spaces_;
  std::deque<std::pair<storage::Write, storage::WriteCallback>> queue_;
  bool stopping_ = false, held_ = false;
  storage::Version last_version_ = 100;
  storage::NamespaceNumber last_number_ = 0;
  std::thread writer_;  // last: it uses the members above
};

}  // namespace edged::test
