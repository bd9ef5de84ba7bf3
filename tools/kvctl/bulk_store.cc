// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/bulk_store.h"

#include <chrono>
#include <thread>
#include <utility>

#include "proto/base/backoff.h"
#include "proto/base/clock.h"
#include "tools/kvctl/context.h"

namespace edged::kvctl {
namespace {

using Versions = std::vector<Result<std::uint64_t>>;

constexpr std::size_t kGroupItemsMax = 1000;
constexpr std::size_t kGroupBytesMax = 1024 * 1024;
constexpr int kAttemptsMax = 12;  // about a minute
constexpr Backoff::Options kPauses{.first = std::chrono::milliseconds(100),
                                   .max = std::chrono::milliseconds(10'000),
                                   .jitter = Jitter::kHalf};

}  // namespace

BulkStore::BulkStore(net::BlockingClient& client, std::string ns, BulkStoreOptions options)
    : client_(client), ns_(std::move(ns)), options_(options) {}

Status BulkStore::add(net::PutItem item, std::string name) {
  const std::size_t bytes = item.key.size() + item.value.size();
  if (!group_.empty() && group_bytes_ + bytes > kGroupBytesMax) {
    const Status written = write_group();
    if (!written.ok()) return written;
  }
  if (options_.if_absent) item.mode = net::PutMode::kIfAbsent;
  item.sync = options_.sync;
  group_.push_back({std::move(item), std::move(name)});
  group_bytes_ += bytes;
  return group_.size() < kGroupItemsMax && group_bytes_ < kGroupBytesMax ? Status() : write_group();
}

Status BulkStore::flush() {
  return write_group();
}

// The items that have not expired. A group of one goes by itself: it may be larger than a frame.
Result<Versions> BulkStore::put_group() {
  std::vector<net::PutItem> items;
  for (const Pending& pending : group_) {
    if (!pending.expired) items.push_back(pending.item);
  }
  if (items.empty()) return Versions();
  if (items.size() > 1) return client_.multi_put(ns_, std::move(items));
  Result<std::uint64_t> version = client_.put(ns_, std::move(items.front()));
  // Not an answer to this item, but no answer at all: tried again like a group.
  if (!version && (retryable(version.code()) || version.code() == Code::kUnknownOutcome)) {
    return version.error();
  }
  return Versions{std::move(version)};
}

Status BulkStore::write_group() {
  const WallTime now = SystemClock().wall_now();
  for (Pending& pending : group_) {
    pending.expired = pending.item.expires_at && *pending.item.expires_at <= now;
  }
  Backoff pauses(kPauses);
  Result<Versions> versions = put_group();
  // A group whose outcome is unknown is written again: that changes nothing but the versions. With
  // if_absent a key that the first attempt stored counts as existing.
  while (!versions && pauses.attempts() < kAttemptsMax &&
         (retryable(versions.code()) || versions.code() == Code::kUnknownOutcome)) {
    std::this_thread::sleep_for(pauses.next());
    versions = put_group();
  }
  if (!versions) return versions.error().with_context("could not store " + group_.front().name);
  Status first_failure;
  std::size_t at = 0;
  for (const Pending& pending : group_) {
    Status status;
    if (!pending.expired) {
      const Result<std::uint64_t>& version = versions->at(at++);
      if (!version) status = version.error();
    }
    const Status counted = count(pending, status);
    if (first_failure.ok()) {
      first_failure = counted;
      settled_ += counted.ok() ? 1 : 0;
    }
  }
  group_.clear();
  group_bytes_ = 0;
  return first_failure;
}

Status BulkStore::count(const Pending& pending, const Status& status) {
  if (pending.expired) {
    ++counts_.expired;
  } else if (status.ok()) {
    ++counts_.stored;
    counts_.bytes += pending.item.key.size() + pending.item.value.size();
  } else if (status.code() == Code::kExists) {
    ++counts_.existing;
  } else {
    return status.with_context("could not store " + pending.name + ", key \"" +
                               shown(pending.item.key) + "\"");
  }
  return {};
}

}  // namespace edged::kvctl
