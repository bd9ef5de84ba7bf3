// SPDX-License-Identifier: Apache-2.0
// What a mirror declares in a namespace: which keys it owns, by prefix, and how far it has read its
// source. Both are entries under reserved keys; the layouts are in docs/storage-format.md, section
// 9. Value types and pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage/operation.h"
#include "kvstore/storage/store.h"
#include "proto/base/status.h"

namespace edged::storage {

// Keys that begin like this are for mirrors only, in every namespace.
inline constexpr std::string_view kReservedPrefix{"\0edged:", 7};
inline constexpr std::string_view kMirrorRulesKey{"\0edged:rules", 12};
inline constexpr std::string_view kMirrorPositionKey{"\0edged:position", 15};

inline bool is_reserved(std::string_view key) {
  return !key.empty() && key.front() == '\0' && key.starts_with(kReservedPrefix);
}

// The rules of a namespace; immutable.
class MirrorRules {
 public:
  static constexpr std::size_t kRulesMax = 1000;
  static constexpr std::size_t kBytesMax = 64 * 1024;

  // Of the value under kMirrorRulesKey. Errors: kInvalidArgument, saying what is wrong.
  static Result<MirrorRules> parse(std::string_view value);
  // Owns every key and says that nothing is loaded: what is believed of rules that are damaged.
  static MirrorRules unknown();

  // The rule that owns the key, the one with the longest prefix if several do; null: none does.
  const MirrorRule* owner_of(std::string_view key) const;
  // Ordered by prefix.
  const std::vector<MirrorRule>& all() const { return rules_; }
  // Whether each rule of `other` that is loaded is here with the same prefix and loaded too.
  bool covers_loaded(const MirrorRules& other) const;

 private:
  Status take(std::vector<MirrorRule> rules);

  std::vector<MirrorRule> rules_;
  std::vector<std::int32_t> enclosing_;  // of each rule: the one whose prefix it has; -1: none
};

// What is stored under kMirrorPositionKey.
struct MirrorPosition {
  std::string position;
  std::optional<WallTime> fresh_as_of;  // always there in what is stored
};
// Requires fresh_as_of, and a position of at most kMirrorPositionBytesMax bytes.
std::string encode_position(const MirrorPosition& position);
// Errors: kCorruption.
Result<MirrorPosition> decode_position(std::string_view value);

// kOk; kInvalidArgument: the position or its time is out of bounds, or the Write is not atomic.
Status check_mark(const MirrorMark& mark, bool atomic);

// A prefix as messages show it.
std::string shown_prefix(std::string_view prefix);

}  // namespace edged::storage
