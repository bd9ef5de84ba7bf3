// SPDX-License-Identifier: Apache-2.0
// A token: a secret that its holder shows, and what it allows. The node keeps the secret's SHA-256
// only, so that neither its files nor its memory give one away. The secret has 256 random bits; a
// slow hash would add nothing. Value types and pure functions; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/access/scope.h"
#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::access {

inline constexpr std::size_t kTokensMax = 1000;  // of a node
inline constexpr std::size_t kNameBytesMax = 64;
inline constexpr std::size_t kNamespacesMax = 32;       // of a token
inline constexpr std::size_t kNamespaceBytesMax = 512;  // an id or a title
inline constexpr std::size_t kPrefixBytesMax = 512;
inline constexpr std::size_t kSecretBytesMax = 128;  // a longer credential is none

// What a token allows.
struct Grant {
  std::string id{};    // 16 lower-case hexadecimal digits
  std::string name{};  // for people; 1..64 bytes of UTF-8, unique
  Scopes scopes;
  // Ids; empty: all. A title, which an old file or a token made offline may hold, allows nothing
  // until AccessTable::resolve_titles() has replaced it: titles can be given to other namespaces.
  std::vector<std::string> namespaces{};
  std::string prefix{};  // of the keys; empty: all
  std::optional<WallTime> expires_at{};

  // True if it speaks for the whole node: no namespaces, no prefix.
  bool covers_node() const { return namespaces.empty() && prefix.empty(); }
  bool allows_namespace(std::string_view ns_id) const;
  bool allows_key(std::string_view key) const { return key.starts_with(prefix); }
  bool expired(WallTime now) const { return expires_at && *expires_at <= now; }
};

struct Token {
  Grant grant;
  WallTime created_at{};
  std::string sha256{};  // 32 bytes: of the secret's text
};

struct NewToken {
  Token token;
  std::string secret;  // "kvt_<id>_<43 letters and digits>"
};

// True for what an id of a namespace looks like; anything else is a title.
bool is_namespace_id(std::string_view text);

// Everything but the id. Errors: kInvalidArgument, with the part that is wrong.
Status check_grant(const Grant& grant);
// For a token that is to be made: its texts are also shown on terminals, so they have no control
// and bidirectional characters. Files may still hold such ones.
Status check_new_grant(const Grant& grant);

// Requires what check_grant accepts; id and secret are made here.
NewToken make_token(Grant grant, WallTime now);

// The id in a secret's text; empty if it has not a secret's form.
std::string_view id_of_secret(std::string_view secret);

std::string sha256(std::string_view bytes);
// The time does not depend on where they differ.
bool equal_in_constant_time(std::string_view left, std::string_view right);

}  // namespace edged::access
