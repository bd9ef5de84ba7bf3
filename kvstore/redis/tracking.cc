// SPDX-License-Identifier: Apache-2.0
// See tracking.h.
#include "kvstore/redis/tracking.h"

#include <algorithm>
#include <utility>

namespace edged::redis {
namespace {

Message invalidation(std::string key) {
  Message message;
  message.kind = Message::Kind::kInvalidate;
  message.payload = std::move(key);
  return message;
}

Message invalidation_of_all() {
  Message message;
  message.kind = Message::Kind::kInvalidateAll;
  return message;
}

}  // namespace

void Tracking::start(std::uint64_t client,
                     std::shared_ptr<Inbox> inbox,
                     std::vector<std::string> prefixes) {
  const std::lock_guard lock(mutex_);
  clients_.insert_or_assign(client, Client{std::move(inbox), std::move(prefixes)});
}

// The keys of a client that has stopped are removed when they change.
void Tracking::stop(std::uint64_t client) {
  const std::lock_guard lock(mutex_);
  clients_.erase(client);
  if (!clients_.empty()) return;
  keys_.clear();
  expiries_ = {};
}

void Tracking::keep(std::uint64_t client, storage::NamespaceNumber ns, std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (!clients_.contains(client)) return;
  keys_[Name{ns, std::string(key)}].insert(client);
  if (keys_.size() > kKeysMax) tell(Name(keys_.begin()->first));
}

void Tracking::expires(storage::NamespaceNumber ns, std::string_view key, WallTime at) {
  const std::lock_guard lock(mutex_);
  Name name{ns, std::string(key)};
  if (!keys_.contains(name)) return;
  expiries_.push({at, std::move(name)});
  // A key that cannot be registered is reported as changed at once.
  if (expiries_.size() > kKeysMax) {
    tell(Name(expiries_.top().name));
    expiries_.pop();
  }
}

// With mutex_.
void Tracking::tell(const Name& name) {
  const auto found = keys_.find(name);
  if (found == keys_.end()) return;
  for (const std::uint64_t id : found->second) {
    const auto client = clients_.find(id);
    if (client != clients_.end() && client->second.prefixes.empty()) {
      client->second.inbox->put(invalidation(name.key));
    }
  }
  keys_.erase(found);
}

// With mutex_.
bool Tracking::tell_prefixes(const std::string& key) {
  bool wanted = false;
  for (const auto& [id, client] : clients_) {
    const bool wants =
        std::any_of(client.prefixes.begin(), client.prefixes.end(), [&](const std::string& prefix) {
          return key.starts_with(prefix);
        });
    if (wants) client.inbox->put(invalidation(key));
    wanted = wanted || wants;
  }
  return wanted;
}

void Tracking::changed(storage::NamespaceNumber ns,
                       const std::string& key,
                       std::optional<WallTime> expires_at) {
  const std::lock_guard lock(mutex_);
  tell(Name{ns, key});
  if (tell_prefixes(key) && expires_at && expiries_.size() < kKeysMax) {
    expiries_.push({*expires_at, Name{ns, key}});
  }
}

void Tracking::lost(storage::NamespaceNumber ns) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, client] : clients_) client.inbox->put(invalidation_of_all());
  keys_.erase(keys_.lower_bound(Name{ns, {}}), keys_.lower_bound(Name{ns + 1, {}}));
}

void Tracking::sweep(WallTime now) {
  const std::lock_guard lock(mutex_);
  while (!expiries_.empty() && expiries_.top().at <= now) {
    tell(Name(expiries_.top().name));
    tell_prefixes(expiries_.top().name.key);
    expiries_.pop();
  }
}

bool Tracking::empty() const {
  const std::lock_guard lock(mutex_);
  return clients_.empty();
}

}  // namespace edged::redis
