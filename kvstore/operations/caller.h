// SPDX-License-Identifier: Apache-2.0
// A Caller is the client that asks for an operation. It judges what the client may do, by scopes,
// namespaces and key prefix; no other place does. A grant is looked up again whenever the table of
// tokens changed, the right to a namespace whenever the namespaces did, the expiry at each
// judgement; so a token that was revoked, changed or has expired stops working at once, also for
// whoever holds a Caller. Without tokens all this costs one atomic load. A value type; one thread
// at a time uses one object, copies are independent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kvstore/access/access_table.h"
#include "kvstore/operations/access_rules.h"
#include "kvstore/storage/store.h"
#include "proto/base/metrics.h"

namespace edged::operations {

// The protocols that lead to the operations; label `face` of the metrics.
enum class Face : std::uint8_t { kBinary, kRest, kBinding, kRedis };
inline constexpr std::size_t kFaces = 4;
std::string_view face_name(Face face);

// What the callers of one face share; outlives them.
struct AccessContext {
  const access::AccessTable* table = nullptr;  // null: everything is open
  const storage::Store& store;
  Counter& failures;  // tokens shown that were not valid
  Face face = Face::kBinary;
};

// What one operation needs of its caller.
struct Demand {
  std::string_view name;  // of the operation, for messages: "get"
  AccessRule rule;
  access::Scopes for_flags{};  // scopes that the request's flags need besides
  bool as_mirror = false;      // writes as the mirror of the namespace
  // Absent: the operation is about no namespace, or each item names its own.
  std::optional<storage::NamespaceNumber> ns{};
  // The key or prefix; id or title with Reach::kName; the id with Reach::kNewNamespace.
  std::string_view key{};
};

class Caller {
 public:
  explicit Caller(const AccessContext& context) : context_(&context) {}

  // A peer that needs no token: on a unix socket, root or the node's own user.
  void trust() { trusted_ = true; }
  // It shows a token, which replaces the one shown before. Errors: kUnauthenticated: it is not
  // valid, and what was shown before stays.
  Status show(std::string_view credential);

  Face face() const { return context_->face; }
  // Whose turn its work takes in queues: the connection's, if the face has set it; else the
  // token's.
  const void* owner() const;
  void set_owner(const void* owner) { owner_ = owner; }

  // True if every operation may be executed without asking.
  bool is_open();
  // True if it has shown what this node wants: a token that is still good, or nothing where nothing
  // is wanted.
  bool is_known() { return is_open() || holds_token(); }
  // Errors: kUnauthenticated, unless is_known().
  Status identify();

  // The judgement. Items of Reach::kItems are judged by one call each.
  // Errors: kUnauthenticated; kDenied, naming what is missing; kNamespaceNotFound.
  Status authorize(const Demand& demand);
  // Whether authorize() would allow a get of this key. Says not why, and allocates nothing unless
  // the namespace was not asked for before.
  bool may_get(storage::NamespaceNumber ns, std::string_view key);
  // True if what was allowed before might not be any more: for what goes on without requests, as a
  // watch. Tells each change once.
  bool moved();

  // These two are valid after authorize() or is_known().
  bool sees(const storage::Namespace& ns) const {
    return token_ == nullptr || token_->grant.allows_namespace(ns.id);
  }
  bool sees_all_namespaces() const { return token_ == nullptr || token_->grant.namespaces.empty(); }
  // Null: none was shown, or it is gone.
  const access::Token* token() const { return token_.get(); }

 private:
  void refresh();
  bool holds_token() const;
  Status check_scopes(const Demand& demand) const;
  Status check_reach(const Demand& demand) const;
  Status check_name(std::string_view name) const;
  Status check_namespace(storage::NamespaceNumber number);
  Code judge_namespace(storage::NamespaceNumber number);
  Code look_up_namespace(storage::NamespaceNumber number) const;

  const AccessContext* context_;
  const void* owner_ = nullptr;
  bool trusted_ = false;
  bool open_ = true;  // anything is allowed; valid for generation_
  bool required_ = false;
  bool lost_ = false;  // the token it had is gone
  std::uint64_t generation_ = 0;
  access::TokenPtr token_;

  std::uint64_t seen_generation_ = 0, seen_namespaces_version_ = 0;  // by moved()
  std::uint64_t namespaces_version_ = 0;
  std::unordered_map<storage::NamespaceNumber, Code> namespaces_;  // valid for both of the above
};

}  // namespace edged::operations
