// SPDX-License-Identifier: Apache-2.0
// Leases for cache fills.
#include "kvstore/storage/tables/lease_table.h"

#include <algorithm>

namespace edged::storage {
namespace {

constexpr std::chrono::milliseconds kRetryAfterMax{50};

}  // namespace

Result<LeaseTable::Grant> LeaseTable::acquire(const std::string& stored_key,
                                              std::chrono::milliseconds duration) {
  const auto now = clock_.boot_now();
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(stored_key);
  if (found != leases_.end() && found->second.until > now) {
    return Grant{0, std::min(found->second.until - now, kRetryAfterMax)};
  }
  if (found == leases_.end() && leases_.size() >= kLeasesMax) {
    std::erase_if(leases_, [now](const auto& lease) { return lease.second.until <= now; });
    if (leases_.size() >= kLeasesMax) return Status(Code::kBusy, "too many leases are held");
  }
  const Lease lease{next_id_++, now + duration};
  leases_[stored_key] = lease;
  return Grant{lease.id, {}};
}

void LeaseTable::release(const std::string& stored_key, std::uint64_t lease) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(stored_key);
  if (found != leases_.end() && found->second.id == lease) leases_.erase(found);
}

bool LeaseTable::holds(std::string_view stored_key, std::uint64_t lease) const {
  const auto now = clock_.boot_now();
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(stored_key);
  return found != leases_.end() && found->second.id == lease && found->second.until > now;
}

void LeaseTable::void_keys(std::span<const std::string_view> stored_keys) {
  const std::lock_guard lock(mutex_);
  if (leases_.empty()) return;
  for (const std::string_view key : stored_keys) {
    if (const auto found = leases_.find(key); found != leases_.end()) leases_.erase(found);
  }
}

void LeaseTable::void_prefix(const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  std::erase_if(leases_, [&](const auto& lease) { return lease.first.starts_with(prefix); });
}

std::size_t LeaseTable::size() const {
  const std::lock_guard lock(mutex_);
  return leases_.size();
}

}  // namespace edged::storage
