// SPDX-License-Identifier: Apache-2.0
// Leases for cache fills: on a miss one caller gets the right to fill a key, others are told to
// wait (memcached's "win" flag; Nishtala et al., NSDI 2013). Any write to the key voids the lease,
// so a fill that read its source before the write is refused. In memory, bounded; a restart voids
// all. Order that callers must keep: acquire, then read; write, then void_keys. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::storage {

class LeaseTable {
 public:
  static constexpr std::size_t kLeasesMax = 65'536;

  struct Grant {
    std::uint64_t lease = 0;  // 0: another has it
    std::chrono::milliseconds retry_after{};
  };

  // `clock` must outlive this object; its boot time measures leases.
  explicit LeaseTable(const Clock& clock) : clock_(clock) {}

  // Errors: kBusy (kLeasesMax live leases).
  Result<Grant> acquire(const std::string& stored_key, std::chrono::milliseconds duration);

  // Ends a lease that is not needed after all.
  void release(const std::string& stored_key, std::uint64_t lease);

  bool holds(std::string_view stored_key, std::uint64_t lease) const;
  void void_keys(std::span<const std::string_view> stored_keys);
  // Of a namespace that was cleared.
  void void_prefix(const std::string& prefix);

  std::size_t size() const;

 private:
  // So that keys are looked up without a copy.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };
  struct Lease {
    std::uint64_t id = 0;
    std::chrono::milliseconds until{};
  };

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards all below
  std::unordered_map<std::string, Lease, Hash, std::equal_to<>> leases_;
  std::uint64_t next_id_ = 1;
};

}  // namespace edged::storage
