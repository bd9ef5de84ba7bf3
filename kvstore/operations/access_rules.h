// SPDX-License-Identifier: Apache-2.0
// The operations of a node, whatever the face that asks for them, and what each needs of a token:
// the one table of docs/protocol.md, AUTH, "What needs which scope". A face names the operation of
// each of its requests; it holds no rule of its own. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kvstore/access/scope.h"

namespace edged::operations {

enum class Kind : std::uint8_t {
  kGet,
  kGetMany,
  kList,
  kPut,
  kDelete,
  kTouch,
  kGetAndTouch,
  kAdd,
  kCheck,
  kPutMany,
  kDeleteMany,
  kBatch,
  kWatch,
  kOpen,
  kNamespaceCreate,
  kNamespaceList,
  kNamespaceRename,
  kNamespaceDelete,
  kNamespaceClear,
  kNamespaceUsage,
  kStats,
  kClockConfirm,
  kTokens,   // makes, lists and revokes tokens
  kSession,  // about the connection itself: authenticating, pings
  kQueues,   // anything with the worker's queues
};
inline constexpr std::size_t kKinds = 25;

// The part of the store an operation touches, and so the limits of the token it must respect.
enum class Reach {
  kNothing,         // or answers only what the token may see
  kName,            // finds a namespace by its id or title
  kNewNamespace,    // makes one with an id
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

const AccessRule& rule_of(Kind kind);
// "get", "namespace_create": for messages and metrics.
std::string_view kind_name(Kind kind);

// "read,write", "write or delete": what `have` lacks; empty if nothing.
std::string missing_scopes(const AccessRule& rule, access::Scopes have);

}  // namespace edged::operations
