// SPDX-License-Identifier: Apache-2.0
// See gate.h.
#include "kvstore/server/gate.h"

#include <utility>

#include "kvstore/server/admin.h"
#include "kvstore/server/routes.h"

namespace edged::server {
namespace {

using wire::Opcode;

// Handles can be guessed; what was found out about them must not grow without bound.
constexpr std::size_t kNamespacesKnownMax = 1024;

Status denied(Opcode opcode, const std::string& why) {
  return {Code::kDenied,
          "could not do " + std::string(wire::opcode_name(opcode)) + ": the token " + why};
}

Status not_found() {
  return {Code::kNamespaceNotFound, "no such namespace"};
}

}  // namespace

std::optional<Code> Gate::answer(const wire::Request& request,
                                 bool whole,
                                 const ReplyTo& to,
                                 std::string& out) {
  if (request.opcode == Opcode::kAuth) return authenticate(request, to, out);
  const Status allowed = authorize(request, whole);
  if (!allowed.ok()) return append_failure(to, allowed, out);
  if (request.opcode == Opcode::kNamespaceList && token_ && !token_->grant.namespaces.empty()) {
    const Status known = check_request(request);
    if (!known.ok()) return append_failure(to, known, out);
    return answer_namespace_list(
        context_.store, request, to, out, [this](const storage::Namespace& ns) {
          return sees(ns);
        });
  }
  return std::nullopt;
}

void Gate::refresh() {
  const std::shared_ptr<const access::AccessSnapshot> snapshot = context_.table->snapshot();
  generation_ = snapshot->generation();
  required_ = snapshot->required();
  namespaces_.clear();
  if (token_) {
    token_ = snapshot->renewed(*token_);
    lost_ = token_ == nullptr;
  }
  open_ = !token_ && !lost_ && (trusted_ || !required_);
}

bool Gate::is_open() {
  if (context_.table == nullptr) return true;
  if (context_.table->generation() != generation_) refresh();
  return open_;
}

Status Gate::authorize(const wire::Request& request, bool whole) {
  if (is_open() || request.opcode == Opcode::kAuth || request.opcode == Opcode::kPing) return {};
  Status identity = check_identity();
  if (!identity.ok()) return identity;
  const AccessRule* rule = access_rule(request.opcode);
  if (rule == nullptr) {
    return {Code::kUnsupported,
            "could not do operation " + std::to_string(static_cast<int>(request.opcode)) +
                ": this node does not implement it"};
  }
  return check(request, *rule, whole);
}

bool Gate::may_get(std::uint32_t ns, std::string_view key) {
  return is_open() || (knows_peer() && token_->grant.scopes.has(access::Scope::kRead) &&
                       judge_namespace(ns) == Code::kOk && token_->grant.allows_key(key));
}

bool Gate::moved() {
  if (context_.table == nullptr) return false;
  const std::uint64_t generation = context_.table->generation();
  const std::uint64_t version = context_.store.namespaces_version();
  const bool changed = generation != std::exchange(seen_generation_, generation) ||
                       (token_ && version != std::exchange(seen_namespaces_version_, version)) ||
                       (token_ && token_->grant.expired(context_.table->clock().wall_now()));
  return changed;
}

bool Gate::knows_peer() const {
  return token_ &&
         (!token_->grant.expires_at || !token_->grant.expired(context_.table->clock().wall_now()));
}

Status Gate::check_identity() {
  if (knows_peer()) return {};
  const char* why = token_  ? "the token has expired"
                    : lost_ ? "the token was revoked"
                            : "this node requires a token. For kvctl set EDGED_TOKEN or "
                              "--token-file, for edged worker worker.token_file; other clients "
                              "send AUTH first";
  return {Code::kUnauthenticated, std::string("could not serve the request: ") + why};
}

Status Gate::check_scopes(Opcode opcode, const AccessRule& rule) const {
  const std::string missing = missing_scopes(rule, token_->grant.scopes);
  return missing.empty() ? Status() : denied(opcode, "lacks the scope " + missing);
}

Status Gate::check(const wire::Request& request, const AccessRule& rule, bool whole) {
  Status status = check_scopes(request.opcode, rule);
  const std::string for_flags = missing_scopes(
      {scopes_of_flags(request.opcode, request.flags), {}, rule.reach}, token_->grant.scopes);
  if (status.ok() && !for_flags.empty()) {
    status = denied(request.opcode, "lacks the scope " + for_flags + ", which its flags need");
  }
  if (status.ok() && request.fields.source_position &&
      !token_->grant.scopes.has(access::Scope::kAdmin)) {
    status = denied(request.opcode, "lacks the scope admin, which a mirror needs");
  }
  // Items may name namespaces of their own, and then the request needs none.
  const bool in_namespace = rule.reach == Reach::kKey || rule.reach == Reach::kPrefix ||
                            rule.reach == Reach::kWholeNamespace ||
                            (rule.reach == Reach::kItems && request.ns != 0);
  if (status.ok() && in_namespace) status = check_namespace(request.ns);
  if (!status.ok()) return status;
  switch (rule.reach) {
    case Reach::kNothing:
      return {};
    case Reach::kName:
      return check_name(request.key);
    case Reach::kNewNamespace:
      return check_new_namespace(request.fields);
    case Reach::kKey:
    case Reach::kPrefix:  // all keys with it have the token's prefix too
      status = check_key(request.key);
      break;
    case Reach::kItems:
      return whole ? check_items(request) : Status();
    case Reach::kWholeNamespace:
      if (!token_->grant.prefix.empty()) {
        return denied(request.opcode, "is limited to a key prefix, and this concerns all keys");
      }
      return {};
    case Reach::kNode:
      if (!token_->grant.covers_node()) {
        return denied(request.opcode,
                      "is limited to namespaces or a key prefix, and this concerns the whole node");
      }
      return {};
  }
  return status.ok() ? status : denied(request.opcode, status.message());
}

Code Gate::judge_namespace(std::uint32_t number) {
  if (token_->grant.namespaces.empty()) return Code::kOk;
  const std::uint64_t version = context_.store.namespaces_version();
  if (version != namespaces_version_ || namespaces_.size() > kNamespacesKnownMax) {
    namespaces_.clear();
    namespaces_version_ = version;
  }
  auto known = namespaces_.find(number);
  if (known == namespaces_.end()) {
    Code verdict = Code::kNamespaceNotFound;
    for (const storage::Namespace& ns : context_.store.list_namespaces()) {
      if (ns.number == number) verdict = sees(ns) ? Code::kOk : Code::kDenied;
    }
    known = namespaces_.emplace(number, verdict).first;
  }
  return known->second;
}

Status Gate::check_namespace(std::uint32_t number) {
  const Code verdict = judge_namespace(number);
  if (verdict == Code::kOk) return {};
  if (verdict == Code::kNamespaceNotFound) return not_found();
  return {Code::kDenied, "could not use namespace: it is not one of the token's"};
}

Status Gate::check_key(std::string_view key) const {
  if (token_->grant.allows_key(key)) return {};
  return {Code::kDenied, "is limited to keys that begin with \"" + token_->grant.prefix + "\""};
}

// One the token does not cover is not told from one that does not exist.
Status Gate::check_name(std::string_view name) const {
  if (token_->grant.namespaces.empty()) return {};
  const Result<storage::Namespace> found = context_.store.find_namespace(name);
  if (!found || sees(*found)) return {};  // OPEN itself answers an absent one
  return {Code::kNamespaceNotFound, "KV namespace \"" + std::string(name) + "\" not found"};
}

Status Gate::check_new_namespace(const wire::Fields& fields) const {
  if (!token_->grant.prefix.empty()) {
    return denied(Opcode::kNamespaceCreate, "is limited to a key prefix");
  }
  if (token_->grant.allows_namespace(fields.namespace_id.value_or(""))) {
    return {};
  }
  return denied(Opcode::kNamespaceCreate, "is limited to namespaces with other ids");
}

// What cannot be read or has no place here is left to the operation, which refuses it; keys and
// namespaces are checked all the same.
Status Gate::check_items(const wire::Request& request) {
  wire::ItemReader reader(request.value);
  wire::Item item;
  while (reader.next(item)) {
    const AccessRule* rule = access_rule(item.opcode);
    Status status = rule == nullptr ? Status() : check_scopes(item.opcode, *rule);
    if (status.ok() && item.fields.ns) status = check_namespace(*item.fields.ns);
    if (!status.ok()) return status;
    status = check_key(item.key);
    if (!status.ok()) return denied(item.opcode, status.message());
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
  if (context_.table == nullptr) {
    return append_failure(
        to,
        Status(Code::kUnauthenticated, "could not authenticate: this node has no token file"),
        out);
  }
  const auto snapshot = context_.table->snapshot();
  const auto token =
      snapshot->authenticate(*request.fields.credential, context_.table->clock().wall_now());
  if (!token) {
    ++failures_;
    context_.failures.add();
    return append_failure(to, token.error(), out);
  }
  token_ = *token;
  lost_ = open_ = false;
  generation_ = 0;       // the next request looks everything up again,
  seen_generation_ = 0;  // and so do running watches: the token may allow less than the last one
  const std::string scopes = access::to_text(token_->grant.scopes);
  wire::Fields fields;
  fields.scope = scopes;
  if (token_->grant.expires_at) {
    fields.expires_at_ms = static_cast<std::uint64_t>(to_unix_ms(*token_->grant.expires_at));
  }
  return append_reply(to, fields, {}, out);
}

}  // namespace edged::server
