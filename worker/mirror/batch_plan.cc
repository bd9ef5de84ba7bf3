// SPDX-License-Identifier: Apache-2.0
// See batch_plan.h.
#include "worker/mirror/batch_plan.h"

#include <utility>

#include "worker/mirror/hidden_keys.h"

namespace edged::mirror {
namespace {

// The node takes no expiry before 1970 nor behind the year 2200; what ends then does not end.
constexpr std::int64_t kExpiryMsMax = 7'258'118'400'000;

}  // namespace

net::PutItem put_item(std::string key, std::string value) {
  net::PutItem item;
  item.key = std::move(key);
  item.value = std::move(value);
  return item;
}

net::RemoveItem remove_item(std::string key) {
  net::RemoveItem item;
  item.key = std::move(key);
  return item;
}

net::BatchItem entry_item(RowMapper::Entry entry) {
  net::PutItem item = put_item(std::move(entry.key), std::move(entry.value));
  if (entry.expires_ms && *entry.expires_ms <= kExpiryMsMax) {
    item.expires_at = from_unix_ms(std::max<std::int64_t>(*entry.expires_ms, 1));
  }
  return item;
}

void BatchPlan::know_index(const std::string& index_key, std::optional<std::string> key) {
  index_.try_emplace(index_key, Index{std::move(key), false, false, std::nullopt});
}

std::optional<std::string> BatchPlan::key_before(const RowChange& change) const {
  if (change.inserted) return std::nullopt;
  if (!change.indexed) return change.key_before;
  const auto found = index_.find(index_key(change.rule, change.identity_before));
  return found == index_.end() ? std::nullopt : found->second.key;
}

bool BatchPlan::node_includes(const RowChange& change, const std::string& key) const {
  return node_includes_ && node_includes_(key, change.xid);
}

BatchPlan::Stored BatchPlan::stored_before(const RowChange& change) const {
  std::optional<std::string> key = key_before(change);
  if (!key) return {};
  if (change.indexed) {
    const Index& index = index_.at(index_key(change.rule, change.identity_before));
    if (index.valued && !index.value) return {};
    if (index.valued) return {Stored::Where::kPlan, *std::move(key), *index.value};
  } else if (const auto found = keys_.find(*key); found != keys_.end()) {
    // Of a deferred key it is not known whose value that is.
    if (change.deferred_key || !found->second.entry) return {};
    return {Stored::Where::kPlan, *std::move(key), found->second.entry->value};
  }
  if (node_includes(change, *key)) return {};
  return {Stored::Where::kNode, *std::move(key)};
}

void BatchPlan::set(const RowChange& change, const std::string& key, State state) {
  if (node_includes(change, key)) return;
  State& now = keys_[key];
  if (now.unknown) return;  // it will be read after all changes of the plan
  state.rule = change.rule;
  now = std::move(state);
}

void BatchPlan::set_index(std::size_t rule,
                          const std::string& identity,
                          const std::optional<std::string>& key,
                          const std::optional<RowMapper::Entry>& entry) {
  Index& index = index_[index_key(rule, identity)];
  index.changed = index.changed || index.key != key;
  index.key = key;
  index.valued = true;
  index.value.reset();
  if (entry) index.value = entry->value;
}

void BatchPlan::apply(const RowChange& change, const std::optional<std::string>& key, State state) {
  const std::optional<std::string> before = key_before(change);
  if (before && key != before) {
    State left;
    left.unknown = change.deferred_key;
    set(change, *before, std::move(left));
  }
  if (change.indexed) {
    if (!change.inserted && (change.removed || change.identity != change.identity_before)) {
      set_index(change.rule, change.identity_before, std::nullopt, std::nullopt);
    }
    if (!change.removed) set_index(change.rule, change.identity, key, state.entry);
  }
  if (key) set(change, *key, std::move(state));
}

void BatchPlan::add(const RowChange& change, std::optional<RowMapper::Entry> entry) {
  std::optional<std::string> key;
  if (entry) key = entry->key;
  State state;
  state.entry = std::move(entry);
  apply(change, key, std::move(state));
}

void BatchPlan::add_unknown(const RowChange& change, const std::string& key) {
  State state;
  state.unknown = true;
  apply(change, key, std::move(state));
}

void BatchPlan::add_expired(const RowChange& change, const std::string& key) {
  apply(change, key, State{});
}

std::map<std::size_t, std::vector<std::string>> BatchPlan::unknown_keys() const {
  std::map<std::size_t, std::vector<std::string>> unknown;
  for (const auto& [key, state] : keys_) {
    if (state.unknown) unknown[state.rule].push_back(key);
  }
  return unknown;
}

std::vector<net::BatchItem> BatchPlan::take_items() {
  std::vector<net::BatchItem> items;
  items.reserve(keys_.size() + index_.size());
  for (auto& [key, state] : keys_) {
    if (state.unknown) continue;
    items.push_back(state.entry ? entry_item(*std::move(state.entry))
                                : net::BatchItem(remove_item(key)));
  }
  keys_.clear();
  return items;
}

std::vector<net::BatchItem> BatchPlan::take_index_items() {
  std::vector<net::BatchItem> items;
  for (auto& [key, index] : index_) {
    if (!index.changed) continue;
    items.emplace_back(index.key ? net::BatchItem(put_item(key, std::move(*index.key)))
                                 : net::BatchItem(remove_item(key)));
  }
  index_.clear();
  return items;
}

}  // namespace edged::mirror
