// SPDX-License-Identifier: Apache-2.0
#include "worker/db/prepared_statements.h"

#include <array>
#include <charconv>
#include <functional>

namespace edged::db {
namespace {

// Texts that were seen once; past it they are forgotten, so that texts that differ each time cost
// little.
constexpr std::size_t kSeenMax = 4 * kPreparedMax;

std::string name_of(const std::string& sql) {
  std::array<char, 2 * sizeof(std::size_t)> digits{};
  char* const end = digits.data() + digits.size();
  const auto written = std::to_chars(digits.data(), end, std::hash<std::string>()(sql), 16);
  return "edged_" + std::string(digits.data(), written.ptr);
}

}  // namespace

PreparedStatements::Sending PreparedStatements::next_use(const std::string& sql) {
  const auto found = entries_.find(sql);
  if (found == entries_.end()) {
    if (entries_.size() >= kSeenMax) {
      std::erase_if(entries_, [](const auto& item) { return item.second.name.empty(); });
    }
    entries_.emplace(sql, Entry{});
    return {};
  }
  Entry& entry = found->second;
  if (entry.state == Entry::State::kPrepared) return {How::kUse, entry.name};
  if (entry.state == Entry::State::kBeingPrepared) return {};
  if (entry.name.empty()) {
    if (named_ >= kPreparedMax) return {};
    ++named_;
    entry.name = name_of(sql);
  }
  entry.state = Entry::State::kBeingPrepared;
  return {How::kPrepareAndUse, entry.name};
}

void PreparedStatements::settle(const std::string& sql, bool prepared) {
  const auto found = entries_.find(sql);
  if (found == entries_.end()) return;
  found->second.state = prepared ? Entry::State::kPrepared : Entry::State::kSeen;
}

void PreparedStatements::clear() {
  entries_.clear();
  named_ = 0;
}

}  // namespace edged::db
