// SPDX-License-Identifier: Apache-2.0
// See caller.h.
#include "kvstore/operations/caller.h"

#include <array>
#include <utility>

namespace edged::operations {
namespace {

// Numbers can be guessed; what was found out about them must not grow without bound.
constexpr std::size_t kNamespacesKnownMax = 1024;

constexpr std::array<std::string_view, kFaces> kFaceNames{"binary", "rest", "binding", "redis"};

Status denied(std::string_view name, const std::string& why) {
  std::string message = "could not do ";
  message += name;
  message += ": the token ";
  message += why;
  return {Code::kDenied, std::move(message)};
}

const char* how_to_show(Face face) {
  switch (face) {
    case Face::kBinary:
      return "this node requires a token. For kvctl set EDGED_TOKEN or --token-file, for edged "
             "worker worker.token_file; other clients send AUTH first";
    case Face::kRedis:
      return "this node requires a token. Send it as the password of AUTH or HELLO";
    case Face::kRest:
    case Face::kBinding:
      break;
  }
  return "this node requires a token. Send it in the header Authorization: Bearer TOKEN";
}

}  // namespace

std::string_view face_name(Face face) {
  return kFaceNames[static_cast<std::size_t>(face)];
}

Status Caller::show(std::string_view credential) {
  if (context_->table == nullptr) {
    return {Code::kUnauthenticated, "could not authenticate: this node has no token file"};
  }
  const auto snapshot = context_->table->snapshot();
  auto token = snapshot->authenticate(credential, context_->table->clock().wall_now());
  if (!token) {
    context_->failures.add();
    return token.error();
  }
  token_ = *std::move(token);
  lost_ = open_ = false;
  generation_ = 0;       // the next judgement looks everything up again,
  seen_generation_ = 0;  // and so does moved(): the token may allow less than the last one
  return {};
}

const void* Caller::owner() const {
  if (owner_ != nullptr) return owner_;
  return token_ ? static_cast<const void*>(token_.get()) : context_;
}

void Caller::refresh() {
  const std::shared_ptr<const access::AccessSnapshot> snapshot = context_->table->snapshot();
  generation_ = snapshot->generation();
  required_ = snapshot->required();
  namespaces_.clear();
  if (token_) {
    token_ = snapshot->renewed(*token_);
    lost_ = token_ == nullptr;
  }
  open_ = !token_ && !lost_ && (trusted_ || !required_);
}

bool Caller::is_open() {
  if (context_->table == nullptr) return true;
  if (context_->table->generation() != generation_) refresh();
  return open_;
}

bool Caller::holds_token() const {
  return token_ &&
         (!token_->grant.expires_at || !token_->grant.expired(context_->table->clock().wall_now()));
}

Status Caller::identify() {
  if (is_known()) return {};
  const char* why = token_  ? "the token has expired"
                    : lost_ ? "the token was revoked"
                            : how_to_show(context_->face);
  return {Code::kUnauthenticated, std::string("could not serve the request: ") + why};
}

Status Caller::authorize(const Demand& demand) {
  if (is_open()) return {};
  Status status = identify();
  if (status.ok()) status = check_scopes(demand);
  if (status.ok() && demand.ns) status = check_namespace(*demand.ns);
  return status.ok() ? check_reach(demand) : status;
}

bool Caller::may_get(storage::NamespaceNumber ns, std::string_view key) {
  return is_open() || (holds_token() && token_->grant.scopes.has_all(rule_of(Kind::kGet).all) &&
                       judge_namespace(ns) == Code::kOk && token_->grant.allows_key(key));
}

bool Caller::moved() {
  if (context_->table == nullptr) return false;
  const std::uint64_t generation = context_->table->generation();
  const std::uint64_t version = context_->store.namespaces_version();
  const bool changed = generation != std::exchange(seen_generation_, generation) ||
                       (token_ && version != std::exchange(seen_namespaces_version_, version)) ||
                       (token_ && token_->grant.expired(context_->table->clock().wall_now()));
  return changed;
}

Status Caller::check_scopes(const Demand& demand) const {
  const access::Scopes have = token_->grant.scopes;
  const std::string missing = missing_scopes(demand.rule, have);
  if (!missing.empty()) return denied(demand.name, "lacks the scope " + missing);
  const std::string for_flags = missing_scopes({demand.for_flags, {}, demand.rule.reach}, have);
  if (!for_flags.empty()) {
    return denied(demand.name, "lacks the scope " + for_flags + ", which its flags need");
  }
  if (demand.as_mirror && !have.has(access::Scope::kAdmin)) {
    return denied(demand.name, "lacks the scope admin, which a mirror needs");
  }
  return {};
}

Status Caller::check_reach(const Demand& demand) const {
  const access::Grant& grant = token_->grant;
  switch (demand.rule.reach) {
    case Reach::kNothing:
    case Reach::kItems:
      return {};
    case Reach::kName:
      return check_name(demand.key);
    case Reach::kNewNamespace:
      if (!grant.prefix.empty()) return denied(demand.name, "is limited to a key prefix");
      return grant.allows_namespace(demand.key)
                 ? Status()
                 : denied(demand.name, "is limited to namespaces with other ids");
    case Reach::kKey:
    case Reach::kPrefix:  // all keys with it have the token's prefix too
      if (grant.allows_key(demand.key)) return {};
      return denied(demand.name, "is limited to keys that begin with \"" + grant.prefix + "\"");
    case Reach::kWholeNamespace:
      if (grant.prefix.empty()) return {};
      return denied(demand.name, "is limited to a key prefix, and this concerns all keys");
    case Reach::kNode:
      break;
  }
  if (grant.covers_node()) return {};
  return denied(demand.name,
                "is limited to namespaces or a key prefix, and this concerns the whole node");
}

// A namespace outside the token's limits is reported as not found, so that its existence is not
// disclosed.
Status Caller::check_name(std::string_view name) const {
  if (token_->grant.namespaces.empty()) return {};
  const Result<storage::Namespace> found = context_->store.find_namespace(name);
  if (!found || sees(*found)) return {};  // the operation itself answers an absent one
  return {Code::kNamespaceNotFound, "KV namespace \"" + std::string(name) + "\" not found"};
}

Status Caller::check_namespace(storage::NamespaceNumber number) {
  const Code verdict = judge_namespace(number);
  if (verdict == Code::kOk) return {};
  if (verdict == Code::kNamespaceNotFound) return {verdict, "no such namespace"};
  return {Code::kDenied, "could not use namespace: it is not one of the token's"};
}

Code Caller::judge_namespace(storage::NamespaceNumber number) {
  if (token_->grant.namespaces.empty()) return Code::kOk;
  const std::uint64_t version = context_->store.namespaces_version();
  if (version != namespaces_version_ || namespaces_.size() > kNamespacesKnownMax) {
    namespaces_.clear();
    namespaces_version_ = version;
  }
  auto known = namespaces_.find(number);
  if (known == namespaces_.end()) {
    known = namespaces_.emplace(number, look_up_namespace(number)).first;
  }
  return known->second;
}

// A token names few namespaces, a node may have many: they are only listed for a refusal.
Code Caller::look_up_namespace(storage::NamespaceNumber number) const {
  for (const std::string& id : token_->grant.namespaces) {
    const Result<storage::Namespace> found = context_->store.find_namespace(id);
    if (found && found->number == number && sees(*found)) return Code::kOk;
  }
  for (const storage::Namespace& ns : context_->store.list_namespaces()) {
    if (ns.number == number) return sees(ns) ? Code::kOk : Code::kDenied;
  }
  return Code::kNamespaceNotFound;
}

}  // namespace edged::operations
