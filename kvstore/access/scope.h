// SPDX-License-Identifier: Apache-2.0
// What a token allows: a set of scopes, written "read,list". No scope contains another. Value
// types; any thread. Which operation needs which: docs/protocol.md, AUTH.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::access {

enum class Scope : std::uint8_t {
  kRead = 1,
  kWrite = 2,
  kDelete = 4,
  kList = 8,
  kAdmin = 16,
  kMetrics = 32,
  kQueue = 64,  // the worker's queues, over the node's REST API
};

class Scopes {
 public:
  constexpr Scopes() = default;
  constexpr Scopes(std::initializer_list<Scope> scopes) {
    for (const Scope scope : scopes) add(scope);
  }

  constexpr void add(Scope scope) { bits_ |= static_cast<std::uint8_t>(scope); }
  constexpr bool has(Scope scope) const { return (bits_ & static_cast<std::uint8_t>(scope)) != 0; }
  constexpr bool has_all(Scopes wanted) const { return (bits_ & wanted.bits_) == wanted.bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool operator==(const Scopes&) const = default;

 private:
  std::uint8_t bits_ = 0;
};

// "read"
std::string_view scope_name(Scope scope);
// In the order of the enumeration.
std::vector<std::string_view> scope_names(Scopes scopes);
// "read,list"; empty for none.
std::string to_text(Scopes scopes);

// Adds the scope of this name to `scopes`. Errors: kInvalidArgument (unknown, or there already).
Status add_scope(std::string_view name, Scopes& scopes);
// "read,list", at least one, without spaces. Errors: kInvalidArgument.
Result<Scopes> parse_scopes(std::string_view text);

}  // namespace edged::access
