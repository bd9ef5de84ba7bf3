// SPDX-License-Identifier: Apache-2.0
// See fetched_keys.h.
#include "worker/mirror/fetched_keys.h"

#include <algorithm>
#include <charconv>

namespace edged::mirror {
namespace {

bool take_number(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Result<TransactionSnapshot> TransactionSnapshot::parse(std::string_view text) {
  const Status bad(Code::kCorruption,
                   "PostgreSQL sent the snapshot \"" + std::string(text.substr(0, 40)) +
                       "\", which does not have the form xmin:xmax:xids");
  TransactionSnapshot snapshot;
  std::string_view rest = text;
  const bool bounds = take_number(rest, snapshot.xmin_) && take(rest, ':') &&
                      take_number(rest, snapshot.xmax_) && take(rest, ':');
  if (!bounds) return bad;
  while (!rest.empty()) {
    std::uint64_t xid = 0;
    if (!take_number(rest, xid) || (!rest.empty() && !take(rest, ','))) return bad;
    snapshot.in_progress_.push_back(xid);
  }
  std::sort(snapshot.in_progress_.begin(), snapshot.in_progress_.end());
  return snapshot;
}

// The stream has the lower half of a transaction's number; it is within 2^31 of the snapshot.
bool TransactionSnapshot::includes(std::uint32_t xid) const {
  const auto distance = static_cast<std::int32_t>(xid - static_cast<std::uint32_t>(xmax_));
  const std::uint64_t whole = xmax_ + static_cast<std::uint64_t>(std::int64_t{distance});
  if (distance >= 0) return false;
  if (whole < xmin_) return true;
  return !std::binary_search(in_progress_.begin(), in_progress_.end(), whole);
}

void FetchedKeys::add(std::size_t rule,
                      const std::string& key,
                      std::shared_ptr<const TransactionSnapshot> snapshot,
                      Lsn until) {
  keys_[key] = {rule, std::move(snapshot), until};
  order_.emplace_back(until, key);
  while (keys_.size() > kKeysMax) forget_oldest();
}

bool FetchedKeys::includes(const std::string& key, std::uint32_t xid) const {
  const auto found = keys_.find(key);
  return found != keys_.end() && found->second.snapshot->includes(xid);
}

void FetchedKeys::forget_oldest() {
  const auto [until, key] = std::move(order_.front());
  order_.pop_front();
  const auto found = keys_.find(key);
  if (found == keys_.end() || found->second.until != until) return;
  set_unknown_until(found->second.rule, until);
  keys_.erase(found);
}

void FetchedKeys::forget_before(Lsn lsn) {
  while (!order_.empty() && order_.front().first < lsn) {
    const auto found = keys_.find(order_.front().second);
    if (found != keys_.end() && found->second.until == order_.front().first) keys_.erase(found);
    order_.pop_front();
  }
}

void FetchedKeys::forget(std::string_view prefix) {
  std::erase_if(keys_, [&](const auto& one) { return one.first.starts_with(prefix); });
}

void FetchedKeys::set_unknown_until(std::size_t rule, Lsn until) {
  Lsn& known = unknown_until_[rule];
  known = std::max(known, until);
}

}  // namespace edged::mirror
