// SPDX-License-Identifier: Apache-2.0
// The states that the judge in linear_checker.h keeps while it goes through a history. Value types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace edged::soak {

// One explanation of all returns so far. A bit is one of the judge's slots for pending operations.
struct LinearConfiguration {
  // kHidden: an entry is there, put without an answer and with a version that nobody was told.
  enum class Content { kAbsent, kEntry, kHidden };

  std::size_t next = 0;  // so many writes of the timeline have taken effect; kEntry: the last one's
  Content content = Content::kAbsent;
  std::uint64_t explained = 0;         // pending operations that have found what they answered
  std::uint64_t deletes_spent = 0;     // pending deletes that have made the key absent
  std::vector<std::uint32_t> spent{};  // of each pool, how many have taken effect

  // Whether everything that can follow `other` can follow this.
  bool covers(const LinearConfiguration& other) const;
};

// A set without members that another one covers.
class LinearConfigurations {
 public:
  // False if one that is held covers it.
  bool insert(const LinearConfiguration& added);
  std::size_t size() const { return count_; }
  std::vector<LinearConfiguration> all() const;

 private:
  using Content = LinearConfiguration::Content;
  std::map<std::pair<std::size_t, Content>, std::vector<LinearConfiguration>> groups_;
  std::size_t count_ = 0;
};

}  // namespace edged::soak
