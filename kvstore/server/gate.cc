// SPDX-License-Identifier: Apache-2.0
// See gate.h.
#include "kvstore/server/gate.h"

#include "kvstore/server/admin.h"
#include "kvstore/server/routes.h"

namespace edged::server {
namespace {

using operations::Demand;
using wire::Opcode;

Demand demand_of(const wire::Request& request, const AccessRule& rule) {
  Demand demand;
  demand.name = wire::opcode_name(request.opcode);
  demand.rule = rule;
  demand.for_flags = scopes_of_flags(request.opcode, request.flags);
  demand.as_mirror = request.fields.source_position.has_value();
  // Items may name namespaces of their own, and then the request needs none.
  if (rule.reach == Reach::kKey || rule.reach == Reach::kPrefix ||
      rule.reach == Reach::kWholeNamespace || (rule.reach == Reach::kItems && request.ns != 0)) {
    demand.ns = request.ns;
  }
  demand.key =
      rule.reach == Reach::kNewNamespace ? request.fields.namespace_id.value_or("") : request.key;
  return demand;
}

// What cannot be read or has no place here is left to the operation, which refuses it; keys and
// namespaces are checked all the same.
Demand demand_of(const wire::Item& item) {
  const AccessRule* rule = access_rule(item.opcode);
  Demand demand;
  demand.name = wire::opcode_name(item.opcode);
  if (rule != nullptr) demand.rule = *rule;
  demand.rule.reach = Reach::kKey;
  demand.ns = item.fields.ns;
  demand.key = item.key;
  return demand;
}

}  // namespace

std::optional<Code> Gate::answer(const wire::Request& request,
                                 bool whole,
                                 const ReplyTo& to,
                                 std::string& out) {
  if (request.opcode == Opcode::kAuth) return authenticate(request, to, out);
  const Status allowed = authorize(request, whole);
  if (!allowed.ok()) return append_failure(to, allowed, out);
  if (request.opcode == Opcode::kNamespaceList && !caller_.sees_all_namespaces()) {
    const Status known = check_request(request);
    if (!known.ok()) return append_failure(to, known, out);
    return answer_namespace_list(
        context_.store, request, to, out, [this](const storage::Namespace& ns) {
          return sees(ns);
        });
  }
  return std::nullopt;
}

Status Gate::authorize(const wire::Request& request, bool whole) {
  if (is_open() || request.opcode == Opcode::kAuth || request.opcode == Opcode::kPing) return {};
  Status identity = caller_.identify();
  if (!identity.ok()) return identity;
  const AccessRule* rule = access_rule(request.opcode);
  if (rule == nullptr) {
    return {Code::kUnsupported,
            "could not do operation " + std::to_string(static_cast<int>(request.opcode)) +
                ": this node does not implement it"};
  }
  const Status allowed = caller_.authorize(demand_of(request, *rule));
  return allowed.ok() && whole && rule->reach == Reach::kItems ? authorize_items(request) : allowed;
}

Status Gate::authorize_items(const wire::Request& request) {
  wire::ItemReader reader(request.value);
  wire::Item item;
  while (reader.next(item)) {
    Status allowed = caller_.authorize(demand_of(item));
    if (!allowed.ok()) return allowed;
  }
  return {};
}

Code Gate::authenticate(const wire::Request& request, const ReplyTo& to, std::string& out) {
  const Status known = check_request(request);
  if (!known.ok()) return append_failure(to, known, out);
  if (!request.fields.credential) {
    return append_failure(
        to, Status(Code::kInvalidArgument, "could not authenticate: no credential"), out);
  }
  const Status shown = caller_.show(*request.fields.credential);
  if (!shown.ok()) {
    failures_ += context_.table != nullptr ? 1 : 0;
    return append_failure(to, shown, out);
  }
  const access::Grant& grant = caller_.token()->grant;
  const std::string scopes = access::to_text(grant.scopes);
  wire::Fields fields;
  fields.scope = scopes;
  if (grant.expires_at) {
    fields.expires_at_ms = static_cast<std::uint64_t>(to_unix_ms(*grant.expires_at));
  }
  return append_reply(to, fields, {}, out);
}

}  // namespace edged::server
