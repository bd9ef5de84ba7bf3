// SPDX-License-Identifier: Apache-2.0
#include "worker/db/prepared_statements.h"

namespace edged::db {
namespace {

// Texts that were seen once; past it they are forgotten, so that texts that differ each time cost
// little.
constexpr std::size_t kSeenMax = 4 * kPreparedMax;

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
  if (entry.confirmed) return {How::kUse, entry.name};
  if (entry.name.empty()) {
    if (named_ >= kPreparedMax) return {};
    ++named_;
  }
  entry.name = "edged_" + std::to_string(++last_name_);
  return {How::kPrepareAndUse, entry.name};
}

void PreparedStatements::confirm(const std::string& sql) {
  const auto found = entries_.find(sql);
  if (found != entries_.end()) found->second.confirmed = true;
}

void PreparedStatements::clear() {
  entries_.clear();
  named_ = 0;
}

}  // namespace edged::db
