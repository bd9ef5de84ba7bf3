// SPDX-License-Identifier: Apache-2.0
// The peer of one connection: AUTH, and what each wire request demands of it before it is executed.
// The judgement itself is operations::Caller's. Its connection's reactor only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/operations/caller.h"
#include "kvstore/server/opcode_rules.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"

namespace edged::server {

using operations::AccessContext;

class Gate {
 public:
  explicit Gate(const AccessContext& context) : context_(context), caller_(context) {}

  operations::Caller& caller() { return caller_; }
  // A peer that needs no token: on the unix socket, root or the node's own user.
  void trust() { caller_.trust(); }

  // Answers AUTH, what the peer may not do, and the list of namespaces if it sees only some:
  // appends the response and returns its status. Nothing if the request is to be executed. `whole`:
  // with its items; a fragment is judged without them, and again when it is put together.
  std::optional<Code> answer(const wire::Request& request,
                             bool whole,
                             const ReplyTo& to,
                             std::string& out);

  // True if every request may be executed without asking.
  bool is_open() { return caller_.is_open(); }
  // Errors: those of Caller::authorize(); kUnsupported.
  Status authorize(const wire::Request& request, bool whole = true);
  // See Caller.
  bool may_get(std::uint32_t ns, std::string_view key) { return caller_.may_get(ns, key); }
  bool moved() { return caller_.moved(); }

  // AUTH. Appends the response.
  Code authenticate(const wire::Request& request, const ReplyTo& to, std::string& out);
  bool is_known() { return caller_.is_known(); }
  // True after so many failed AUTHs that the connection is to end.
  bool exhausted() const { return failures_ >= kFailuresMax; }

  // Valid after authorize().
  bool sees(const storage::Namespace& ns) const { return caller_.sees(ns); }

 private:
  static constexpr int kFailuresMax = 5;

  Status authorize_items(const wire::Request& request);

  const AccessContext& context_;
  operations::Caller caller_;
  int failures_ = 0;
};

}  // namespace edged::server
