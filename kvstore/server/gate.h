// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of one connection, and what it may do: AUTH, and the judgement of every
// request before it is executed. A grant is looked up again whenever the table of tokens changed,
// the right to a namespace whenever the namespaces did, the expiry at each request; so a token that
// was revoked, changed or has expired stops working on open connections at once. Without tokens all
// this costs one atomic load. Its connection's reactor only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kvstore/access/access_table.h"
#include "kvstore/server/access_rules.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"
#include "proto/base/metrics.h"

namespace edged::server {

// What the gates of a server share; outlives them.
struct AccessContext {
  const access::AccessTable* table = nullptr;  // null: everything is open
  const storage::Store& store;
  Counter& failures;
};

class Gate {
 public:
  explicit Gate(const AccessContext& context) : context_(context) {}

  // A peer that needs no token: on the unix socket, root or the node's own user.
  void trust() { trusted_ = true; }

  // Answers AUTH, what the peer may not do, and the list of namespaces if it sees only some:
  // appends the response and returns its status. Nothing if the request is to be executed. `whole`:
  // with its items; a fragment is judged without them, and again when it is put together.
  std::optional<Code> answer(const wire::Request& request,
                             bool whole,
                             const ReplyTo& to,
                             std::string& out);

  // True if every request may be executed without asking.
  bool is_open();
  // Errors: kUnauthenticated; kDenied, naming what is missing; kNamespaceNotFound; kUnsupported.
  Status authorize(const wire::Request& request, bool whole = true);
  // Whether authorize() would allow a GET of this key. Says not why, and allocates nothing unless
  // the namespace was not asked for before.
  bool may_get(std::uint32_t ns, std::string_view key);
  // True if what was allowed before might not be any more: for what goes on without requests, as a
  // watch. Tells each change once.
  bool moved();

  // AUTH. Appends the response.
  Code authenticate(const wire::Request& request, const ReplyTo& to, std::string& out);
  // True if the peer has shown what this node wants: a token that is still good, or nothing where
  // nothing is wanted.
  bool is_known() { return is_open() || knows_peer(); }
  // True after so many failed AUTHs that the connection is to end.
  bool exhausted() const { return failures_ >= kFailuresMax; }

  // Valid after authorize().
  bool sees(const storage::Namespace& ns) const {
    return token_ == nullptr || token_->grant.allows_namespace(ns.id);
  }

 private:
  static constexpr int kFailuresMax = 5;

  void refresh();
  bool knows_peer() const;
  Status check_identity();
  Status check(const wire::Request& request, const AccessRule& rule, bool whole);
  Status check_scopes(wire::Opcode opcode, const AccessRule& rule) const;
  Code judge_namespace(std::uint32_t number);
  Status check_namespace(std::uint32_t number);
  Status check_key(std::string_view key) const;
  Status check_name(std::string_view name) const;
  Status check_new_namespace(const wire::Fields& fields) const;
  Status check_items(const wire::Request& request);

  const AccessContext& context_;
  bool trusted_ = false;
  bool open_ = true;  // anything is allowed; valid for generation_
  bool required_ = false;
  bool lost_ = false;  // the token it had is gone
  int failures_ = 0;
  std::uint64_t generation_ = 0;
  access::TokenPtr token_;

  std::uint64_t seen_generation_ = 0, seen_namespaces_version_ = 0;  // by moved()
  std::uint64_t namespaces_version_ = 0;
  std::unordered_map<std::uint32_t, Code> namespaces_;  // valid for both of the above
};

}  // namespace edged::server
