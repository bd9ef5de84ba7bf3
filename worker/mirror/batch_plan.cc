// SPDX-License-Identifier: Apache-2.0
// See batch_plan.h.
#include "worker/mirror/batch_plan.h"

#include <utility>

#include "worker/mirror/hidden_keys.h"

namespace edged::mirror {
namespace {

// The node takes no expiry before 1970 nor behind the year 2200; what ends then does not end.
constexpr std::int64_t kExpiryMsMax = 7'258'118'400'000;

net::BatchItem put(std::string key, std::string value, std::optional<std::int64_t> expires_ms) {
  net::PutItem item = put_item(std::move(key), std::move(value));
  if (expires_ms && *expires_ms <= kExpiryMsMax) {
    item.expires_at = from_unix_ms(std::max<std::int64_t>(*expires_ms, 1));
  }
  return item;
}

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

void BatchPlan::know_index(const std::string& index_key, std::optional<std::string> key) {
  index_.try_emplace(index_key, Index{std::move(key), false});
}

std::optional<std::string> BatchPlan::key_before(const RowChange& change) const {
  if (change.inserted) return std::nullopt;
  if (!change.indexed) return change.key_before;
  const auto found = index_.find(index_key(change.rule, change.identity_before));
  return found == index_.end() ? std::nullopt : found->second.key;
}

std::optional<std::optional<std::string_view>> BatchPlan::value_before(
    const RowChange& change) const {
  if (change.indexed) {
    const auto found = index_.find(index_key(change.rule, change.identity_before));
    if (found == index_.end() || !found->second.valued) return std::nullopt;
    if (!found->second.value) return std::optional<std::string_view>();
    return std::optional<std::string_view>(*found->second.value);
  }
  const auto found = change.key_before ? keys_.find(*change.key_before) : keys_.end();
  if (found == keys_.end()) return std::nullopt;
  if (!found->second.entry) return std::optional<std::string_view>();
  return std::optional<std::string_view>(found->second.entry->value);
}

void BatchPlan::leave(const RowChange& change, const std::string& key) {
  State& state = keys_[key];
  if (state.entry && change.indexed && state.holder != change.identity_before) return;
  state = {};
}

void BatchPlan::set_index(std::size_t rule,
                          const std::string& identity,
                          const std::optional<RowMapper::Entry>& entry) {
  Index& index = index_[index_key(rule, identity)];
  std::optional<std::string> key;
  if (entry) key = entry->key;
  index.changed = index.changed || index.key != key;
  index.key = std::move(key);
  index.valued = true;
  index.value.reset();
  if (entry) index.value = entry->value;
}

void BatchPlan::add(const RowChange& change, std::optional<RowMapper::Entry> entry) {
  const std::optional<std::string> before = key_before(change);
  if (before && (!entry || entry->key != *before)) leave(change, *before);
  if (change.indexed) {
    if (!change.inserted && (change.removed || change.identity != change.identity_before)) {
      set_index(change.rule, change.identity_before, std::nullopt);
    }
    if (!change.removed) set_index(change.rule, change.identity, entry);
  }
  if (!entry) return;
  const std::string key = entry->key;
  keys_[key] = {std::move(entry), change.identity};
}

std::vector<net::BatchItem> BatchPlan::take_items() {
  std::vector<net::BatchItem> items;
  items.reserve(keys_.size() + index_.size());
  for (auto& [key, state] : keys_) {
    items.push_back(state.entry ? put(key, std::move(state.entry->value), state.entry->expires_ms)
                                : net::BatchItem(remove_item(key)));
  }
  for (auto& [key, index] : index_) {
    if (!index.changed) continue;
    items.push_back(index.key ? put(key, std::move(*index.key), std::nullopt)
                              : net::BatchItem(remove_item(key)));
  }
  keys_.clear();
  index_.clear();
  return items;
}

}  // namespace edged::mirror
