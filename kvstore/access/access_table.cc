// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/access_table.h"

#include <algorithm>
#include <utility>

#include "kvstore/access/token_file.h"
#include "proto/base/log.h"

namespace edged::access {
namespace {

Status unauthenticated() {
  return {Code::kUnauthenticated, "could not authenticate: the token is not valid"};
}

Status no_file() {
  return {Code::kUnsupported, "could not change tokens: this node has no token file"};
}

}  // namespace

AccessSnapshot::AccessSnapshot(std::vector<Token> tokens,
                               bool always_required,
                               std::uint64_t generation)
    : tokens_(std::move(tokens)),
      required_(always_required || !tokens_.empty()),
      generation_(generation) {
  for (const Token& token : tokens_) {
    by_id_.emplace(token.grant.id, std::make_shared<const Token>(token));
  }
}

Result<TokenPtr> AccessSnapshot::authenticate(std::string_view secret, WallTime now) const {
  const auto found = by_id_.find(id_of_secret(secret));
  const bool known = found != by_id_.end();
  const std::string nobody(32, '\0');
  const std::string given = secret.size() <= kSecretBytesMax ? sha256(secret) : nobody;
  const bool equal = equal_in_constant_time(given, known ? found->second->sha256 : nobody);
  if (!known || !equal || found->second->grant.expired(now)) return unauthenticated();
  return found->second;
}

TokenPtr AccessSnapshot::renewed(const Token& token) const {
  const auto found = by_id_.find(token.grant.id);
  return found != by_id_.end() && found->second->sha256 == token.sha256 ? found->second : nullptr;
}

Result<std::unique_ptr<AccessTable>> AccessTable::open(Options options, const Clock& clock) {
  std::vector<Token> tokens;
  if (!options.path.empty()) {
    auto read = read_token_file(options.path);
    if (!read && read.code() != Code::kNotFound) return read.error();
    if (read) tokens = *std::move(read);
  }
  return std::unique_ptr<AccessTable>(
      new AccessTable(std::move(options), clock, std::move(tokens)));
}

AccessTable::AccessTable(Options options, const Clock& clock, std::vector<Token> tokens)
    : options_(std::move(options)),
      clock_(clock),
      snapshot_(
          std::make_shared<const AccessSnapshot>(std::move(tokens), options_.always_required, 1)) {}

std::shared_ptr<const AccessSnapshot> AccessTable::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void AccessTable::publish(std::vector<Token> tokens) {
  const std::uint64_t next = generation() + 1;  // change_mutex_ is held
  auto made =
      std::make_shared<const AccessSnapshot>(std::move(tokens), options_.always_required, next);
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(made);
  generation_.store(next, std::memory_order_release);
}

Status AccessTable::reload() {
  if (options_.path.empty()) return {};
  const std::lock_guard lock(change_mutex_);
  auto tokens = read_token_file(options_.path);
  if (!tokens && tokens.code() == Code::kNotFound && snapshot()->tokens().empty()) return {};
  if (!tokens) return tokens.error();
  publish(*std::move(tokens));
  return {};
}

namespace {

// True if a title of the token was replaced.
bool resolve_titles_of(Grant& grant, const AccessTable::IdOfTitle& id_of) {
  bool changed = false;
  std::vector<std::string> resolved;
  for (const std::string& one : grant.namespaces) {
    const auto id = is_namespace_id(one) ? std::optional(one) : id_of(one);
    changed = changed || (id && *id != one);
    const std::string& kept = id ? *id : one;
    if (std::find(resolved.begin(), resolved.end(), kept) == resolved.end()) {
      resolved.push_back(kept);
    }
  }
  grant.namespaces = std::move(resolved);
  return changed;
}

}  // namespace

Status AccessTable::resolve_titles(const IdOfTitle& id_of) {
  if (options_.path.empty()) return {};
  const std::lock_guard lock(change_mutex_);
  bool any = false;
  for (Token token : snapshot()->tokens()) {
    any = resolve_titles_of(token.grant, id_of) || any;
    for (const std::string& one : token.grant.namespaces) {
      if (is_namespace_id(one)) continue;
      log::warn(
          "token " + token.grant.id + " \"" + token.grant.name +
          "\" is limited to the namespace \"" + one +
          "\", which does not exist: it gives no right to it. Create the namespace, then send "
          "SIGHUP to the node");
    }
  }
  if (!any) return {};
  auto tokens = update_token_file(options_.path, [&](std::vector<Token>& all) {
    for (Token& token : all) resolve_titles_of(token.grant, id_of);
    return Status();
  });
  if (!tokens) return tokens.error();
  publish(*std::move(tokens));
  log::info("the limits of tokens name namespaces by id now, where they named titles");
  return {};
}

Result<NewToken> AccessTable::create(Grant grant) {
  if (options_.path.empty()) return no_file();
  const Status checked = check_new_grant(grant);
  if (!checked.ok()) return checked.with_context("could not create token");
  NewToken made = make_token(std::move(grant), clock_.wall_now());
  const std::lock_guard lock(change_mutex_);
  auto tokens = update_token_file(
      options_.path, [&](std::vector<Token>& all) { return add_token(all, made.token); });
  if (!tokens) return tokens.error().with_context("could not create token");
  publish(*std::move(tokens));
  log::info("token " + made.token.grant.id + " \"" + made.token.grant.name +
            "\" created: " + to_text(made.token.grant.scopes));
  return made;
}

Result<Token> AccessTable::revoke(std::string_view id) {
  if (options_.path.empty()) return no_file();
  Token revoked;
  const std::lock_guard lock(change_mutex_);
  auto tokens = update_token_file(options_.path, [&](std::vector<Token>& all) {
    for (const Token& one : all) {
      if (one.grant.id == id) revoked = one;
    }
    return remove_token(all, id);
  });
  if (!tokens) return tokens.error().with_context("could not revoke token");
  publish(*std::move(tokens));
  log::info("token " + revoked.grant.id + " \"" + revoked.grant.name + "\" revoked");
  return revoked;
}

}  // namespace edged::access
