// SPDX-License-Identifier: Apache-2.0
// Who may write which key, what a mirror's writes say of the mirror, and the removal of large
// values that expired.
#include <utility>

#include "kvstore/storage/format/body_expiry.h"
#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/write/write_group.h"

namespace edged::storage {
namespace {

WriteOutcome invalid(const char* why) {
  return refusal(Code::kInvalidArgument, why);
}

// Whether a mirror may do this to a reserved key. Rules have no expiry: what is stored and what is
// in memory would part.
WriteOutcome check_reserved(const Operation& operation, std::string_view key) {
  if (std::holds_alternative<Check>(operation) || std::holds_alternative<Delete>(operation)) {
    return {};
  }
  if (key == kMirrorPositionKey) {
    return invalid(
        "the key of the mirror's position cannot be written: the node stores it with each batch of "
        "the mirror");
  }
  if (key != kMirrorRulesKey) return {};
  const Put* const put = std::get_if<Put>(&operation);
  if (put == nullptr || put->ttl || put->expires_at || put->staged.id != 0) {
    return invalid("the mirror's rules can only be put whole, without expiry, or deleted");
  }
  const auto rules = MirrorRules::parse(put->value);
  return rules ? WriteOutcome() : refusal(rules.error());
}

}  // namespace

WriteOutcome WriteGroup::check_owner(const Operation& operation, const Target& target) const {
  const bool by_mirror = mirror_ != nullptr && mirror_->ns == target.ns;
  if (is_reserved(target.key)) {
    if (by_mirror) return check_reserved(operation, target.key);
    return refusal(Code::kConflict, "the key is reserved for the mirror of its namespace");
  }
  if (by_mirror) return {};
  const MirrorState* const state = context_.mirrors.state_of(target.ns);
  const auto change = mirror_changes_.find(target.ns);
  const bool changed = change != mirror_changes_.end() && change->second.rules;
  const MirrorRules* const rules = changed            ? change->second.rules->get()
                                   : state != nullptr ? &state->rules()
                                                      : nullptr;
  const MirrorRule* const rule = rules != nullptr ? rules->owner_of(target.key) : nullptr;
  if (rule == nullptr) return {};
  if (!std::holds_alternative<Check>(operation)) {
    return refusal(Code::kConflict,
                   "the key belongs to the mirror (" + shown_prefix(rule->prefix) +
                       "): write its PostgreSQL table");
  }
  if (changed) return refusal(Code::kStale, "stale: the mirror's rules are changing");
  const Status fresh = state->judge(*rule, from_unix_ms(now_ms_));
  return fresh.ok() ? WriteOutcome() : refusal(fresh);
}

void WriteGroup::note_reserved(const Operation& operation, const Target& target) {
  if (target.key == kMirrorRulesKey) {
    if (const Put* const put = std::get_if<Put>(&operation)) {
      auto rules = MirrorRules::parse(put->value);
      mirror_changes_[target.ns].rules = std::make_shared<const MirrorRules>(*std::move(rules));
    } else if (std::holds_alternative<Delete>(operation)) {
      mirror_changes_[target.ns].rules = nullptr;
    }
  } else if (target.key == kMirrorPositionKey && std::holds_alternative<Delete>(operation)) {
    mirror_changes_[target.ns].position = MirrorPosition();
  }
}

WriteOutcome WriteGroup::check_namespace(const std::optional<MirrorMark>& mirror) const {
  if (!mirror || context_.namespaces.prefix_of(mirror->ns)) return {};
  return refusal(Code::kNamespaceNotFound, "no such namespace");
}

// The last part of a mirror's atomic Write; undone with it.
WriteOutcome WriteGroup::store_position(const std::optional<MirrorMark>& mirror) {
  if (!mirror || !mirror->fresh_as_of) return {};
  const std::uint32_t prefix = context_.namespaces.prefix_of(mirror->ns).value();
  const std::string key(kMirrorPositionKey);
  const Target target{mirror->ns, prefix, key, keep_key(prefix, key)};
  const auto old = conditioned(target, Condition::kNone, false);
  if (!old) return refusal(old.error());
  MirrorPosition position{mirror->position, mirror->fresh_as_of};
  const std::string value = encode_position(position);
  store(target, *old, {0, 0, {}, value, std::nullopt});
  mirror_changes_[mirror->ns].position = std::move(position);
  return {};
}

Result<std::optional<BodyRef>> WriteGroup::remove_expired_body(std::uint64_t expiry_ms,
                                                               std::string_view stored_key) {
  const auto found = find(stored_key, false);
  forget_body_expiry(batch_, context_.database, expiry_ms, stored_key);
  if (!found) return found.error();
  if (!found->body || found->live || found->expiry_ms != expiry_ms) {
    return std::optional<BodyRef>();
  }
  const std::string_view kept = keep(stored_key);
  const Target target{0, load_be32(kept, 0), kept.substr(kPrefixBytes), kept};
  take_away(target, *found, false);
  batch_.Delete(context_.database.entries(), stored_key);
  remember(kept, {});
  return found->body;
}

}  // namespace edged::storage
