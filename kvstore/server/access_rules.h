// SPDX-License-Identifier: Apache-2.0
// What each operation needs of a token: the one table of docs/protocol.md, AUTH, "What needs which
// scope". An operation that is not in it is refused to every token. Pure; any thread.
#pragma once

#include "kvstore/access/scope.h"
#include "proto/wire/message.h"

namespace edged::server {

// What of the store an operation touches, and so what of the token's limits it must respect.
enum class Reach {
  kNothing,         // or answers only what the token may see
  kName,            // finds a namespace by the name in the key
  kNewNamespace,    // makes one with the id and title in the fields
  kKey,             // one key of a namespace
  kPrefix,          // the keys with a prefix
  kItems,           // the keys of its items, each by its own rule
  kWholeNamespace,  // whatever the keys
  kNode,
};

struct AccessRule {
  access::Scopes all;  // needs each of these
  access::Scopes any;  // and, unless empty, one of these
  Reach reach = Reach::kNode;
};

// Null if there is no rule.
const AccessRule* access_rule(wire::Opcode opcode);

// What the request's flags need besides: WITH_VALUES shows values (read), LEASE keeps others from
// filling a key (write).
access::Scopes scopes_of_flags(wire::Opcode opcode, std::uint16_t flags);

// "read,write", "write or delete": what `have` lacks; empty if nothing.
std::string missing_scopes(const AccessRule& rule, access::Scopes have);

}  // namespace edged::server
