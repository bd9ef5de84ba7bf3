// SPDX-License-Identifier: Apache-2.0
// The value of a mirror's rules (docs/storage-format.md, section 9), as a mirror writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edged::test {

inline const std::string kRulesKey("\0edged:rules", 12);
inline const std::string kPositionKey("\0edged:position", 15);
inline const std::string kOwnerKey("\0edged:owner", 12);

struct RuleText {
  std::string prefix;
  std::uint64_t ttl_ms = 0;
  bool loaded = true;
};

inline void append_little(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xFF);
}

inline std::string rules_value(const std::vector<RuleText>& rules) {
  std::string value(1, '\x01');
  for (const RuleText& rule : rules) {
    value += rule.loaded ? '\x01' : '\0';
    append_little(value, rule.prefix.size(), 2);
    append_little(value, rule.ttl_ms, 8);
    value += rule.prefix;
  }
  return value;
}

}  // namespace edged::test
