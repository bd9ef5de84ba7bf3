// SPDX-License-Identifier: Apache-2.0
// Rules and positions as they are stored.
#include "kvstore/storage/tables/mirror_rules.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "kvstore/storage/format/bytes.h"

namespace edged::storage {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kLoaded = 1;
constexpr std::size_t kRuleHeaderBytes = 1 + 2 + 8;
constexpr std::size_t kPositionHeaderBytes = 1 + 1 + 2 + 8;

Status malformed(const std::string& why) {
  return {Code::kInvalidArgument, "the mirror's rules are malformed: " + why};
}

std::chrono::milliseconds bounded(std::uint64_t ttl_ms) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(ttl_ms, kMost)));
}

}  // namespace

Result<MirrorRules> MirrorRules::parse(std::string_view value) {
  if (value.size() > kBytesMax) return malformed("they are above 64 KiB");
  if (value.empty() || load_le<std::uint8_t>(value, 0) != kFormat) {
    return malformed("the first byte is not 1");
  }
  std::vector<MirrorRule> rules;
  for (std::string_view rest = value.substr(1); !rest.empty();) {
    if (rest.size() < kRuleHeaderBytes) return malformed("the last one is cut short");
    const auto flags = load_le<std::uint8_t>(rest, 0);
    const auto prefix_bytes = load_le<std::uint16_t>(rest, 1);
    const auto ttl_ms = load_le<std::uint64_t>(rest, 3);
    rest.remove_prefix(kRuleHeaderBytes);
    if ((flags & ~kLoaded) != 0) return malformed("a flag is unknown");
    if (prefix_bytes == 0 || prefix_bytes > kKeyBytesMax) {
      return malformed("a prefix has not 1 to 512 bytes");
    }
    if (rest.size() < prefix_bytes) return malformed("the last one is cut short");
    const std::string_view prefix = rest.substr(0, prefix_bytes);
    rest.remove_prefix(prefix_bytes);
    if (kReservedPrefix.starts_with(prefix) || is_reserved(prefix)) {
      return malformed("a prefix covers reserved keys");
    }
    if (rules.size() == kRulesMax) return malformed("there are more than 1000");
    rules.push_back({std::string(prefix), bounded(ttl_ms), (flags & kLoaded) != 0});
  }
  MirrorRules parsed;
  Status taken = parsed.take(std::move(rules));
  if (!taken.ok()) return taken;
  return parsed;
}

MirrorRules MirrorRules::unknown() {
  MirrorRules rules;
  (void)rules.take({MirrorRule{}});
  return rules;
}

Status MirrorRules::take(std::vector<MirrorRule> rules) {
  std::sort(rules.begin(), rules.end(), [](const MirrorRule& a, const MirrorRule& b) {
    return a.prefix < b.prefix;
  });
  for (std::size_t i = 0; i < rules.size(); ++i) {
    // What encloses a prefix comes before it, and is among those that enclose its neighbour.
    auto outer = static_cast<std::int32_t>(i) - 1;
    while (outer >= 0 &&
           !rules[i].prefix.starts_with(rules[static_cast<std::size_t>(outer)].prefix)) {
      outer = enclosing_[static_cast<std::size_t>(outer)];
    }
    if (outer >= 0 && rules[static_cast<std::size_t>(outer)].prefix == rules[i].prefix) {
      return malformed("two have the same prefix");
    }
    enclosing_.push_back(outer);
  }
  rules_ = std::move(rules);
  return Status();
}

const MirrorRule* MirrorRules::owner_of(std::string_view key) const {
  const auto behind = std::upper_bound(
      rules_.begin(), rules_.end(), key, [](std::string_view wanted, const MirrorRule& rule) {
        return wanted < rule.prefix;
      });
  auto at = static_cast<std::int32_t>(behind - rules_.begin()) - 1;
  while (at >= 0) {
    const MirrorRule& rule = rules_[static_cast<std::size_t>(at)];
    if (key.starts_with(rule.prefix)) return &rule;
    at = enclosing_[static_cast<std::size_t>(at)];
  }
  return nullptr;
}

bool MirrorRules::covers_loaded(const MirrorRules& other) const {
  return std::all_of(other.rules_.begin(), other.rules_.end(), [this](const MirrorRule& rule) {
    if (!rule.loaded) return true;
    const MirrorRule* here = owner_of(rule.prefix);
    return here != nullptr && here->loaded && here->prefix == rule.prefix;
  });
}

std::string encode_position(const MirrorPosition& position) {
  std::string value;
  append_le(value, kFormat);
  append_le(value, std::uint8_t{0});
  append_le(value, static_cast<std::uint16_t>(position.position.size()));
  append_le(value, static_cast<std::uint64_t>(to_unix_ms(position.fresh_as_of.value())));
  return value + position.position;
}

Result<MirrorPosition> decode_position(std::string_view value) {
  if (value.size() < kPositionHeaderBytes || load_le<std::uint8_t>(value, 0) != kFormat ||
      load_le<std::uint16_t>(value, 2) != value.size() - kPositionHeaderBytes ||
      load_le<std::uint64_t>(value, 4) > kExpiryMsMax) {
    return Status(Code::kCorruption, "a mirror's stored position is damaged");
  }
  return MirrorPosition{std::string(value.substr(kPositionHeaderBytes)),
                        from_unix_ms(load_le<std::int64_t>(value, 4))};
}

Status check_mark(const MirrorMark& mark, bool atomic) {
  if (!atomic) return {Code::kInvalidArgument, "a mirror's write must be atomic"};
  if (mark.position.size() > kMirrorPositionBytesMax) {
    return {Code::kInvalidArgument, "a mirror's position must have at most 64 bytes"};
  }
  if (mark.fresh_as_of) {
    const std::int64_t ms = to_unix_ms(*mark.fresh_as_of);
    if (ms < 0 || static_cast<std::uint64_t>(ms) > kExpiryMsMax) {
      return {Code::kInvalidArgument, "a mirror's time must lie between 1970 and 2200"};
    }
  }
  return Status();
}

std::string shown_prefix(std::string_view prefix) {
  std::string shown(prefix);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return '"' + shown + "...\"";
}

}  // namespace edged::storage
