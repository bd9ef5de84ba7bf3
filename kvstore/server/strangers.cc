// SPDX-License-Identifier: Apache-2.0
// See strangers.h. Closures are called without the lock.
#include "kvstore/server/strangers.h"

#include <algorithm>
#include <utility>

namespace edged::server {

std::uint64_t Strangers::add(const std::string& address, std::function<void()> end) {
  std::function<void()> victim;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (addresses_.size() >= connections_max_) victim = take_victim();
    number = next_number_++;
    by_address_[address].emplace(number, std::move(end));
    addresses_.emplace(number, address);
  }
  if (victim) victim();
  return number;
}

void Strangers::remove(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto address = addresses_.find(number);
  if (address == addresses_.end()) return;
  const auto peer = by_address_.find(address->second);
  peer->second.erase(number);
  if (peer->second.empty()) by_address_.erase(peer);
  addresses_.erase(address);
}

bool Strangers::end_one() {
  std::function<void()> victim;
  {
    const std::lock_guard lock(mutex_);
    victim = take_victim();
  }
  if (!victim) return false;
  victim();
  return true;
}

std::function<void()> Strangers::take_victim() {
  const auto most = std::max_element(
      by_address_.begin(), by_address_.end(), [](const auto& left, const auto& right) {
        return left.second.size() < right.second.size();
      });
  if (most == by_address_.end()) return {};
  const auto oldest = most->second.begin();
  std::function<void()> end = std::move(oldest->second);
  addresses_.erase(oldest->first);
  most->second.erase(oldest);
  if (most->second.empty()) by_address_.erase(most);
  return end;
}

}  // namespace edged::server
