// SPDX-License-Identifier: Apache-2.0
// See pub_sub.h.
#include "kvstore/redis/pub_sub.h"

#include <utility>

#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

Message published(std::string_view channel, std::string_view payload, const std::string* pattern) {
  Message message;
  message.channel = channel;
  message.payload = payload;
  if (pattern != nullptr) message.pattern = *pattern;
  message.by_pattern = pattern != nullptr;
  return message;
}

}  // namespace

void Inbox::put(Message message) {
  {
    const std::lock_guard lock(mutex_);
    bytes_ += message.channel.size() + message.payload.size() + message.pattern.size() + 64;
    overflowed_ = overflowed_ || bytes_ > kBytesMax;
    if (!overflowed_) messages_.push_back(std::move(message));
    if (std::exchange(woken_, true)) return;
  }
  wake_();
}

bool Inbox::take(std::vector<Message>& messages) {
  const std::lock_guard lock(mutex_);
  messages.clear();
  messages.swap(messages_);
  bytes_ = 0;
  woken_ = false;
  return !overflowed_;
}

bool PubSub::subscribe(const std::string& channel,
                       bool pattern,
                       const std::shared_ptr<Inbox>& inbox) {
  const std::lock_guard lock(mutex_);
  return (pattern ? patterns_ : channels_)[channel].insert(inbox).second;
}

void PubSub::unsubscribe(const std::string& channel,
                         bool pattern,
                         const std::shared_ptr<Inbox>& inbox) {
  const std::lock_guard lock(mutex_);
  Listeners& listeners = pattern ? patterns_ : channels_;
  const auto found = listeners.find(channel);
  if (found == listeners.end()) return;
  found->second.erase(inbox);
  if (found->second.empty()) listeners.erase(found);
}

std::size_t PubSub::reach(std::string_view channel, const std::string_view* payload) {
  const std::lock_guard lock(mutex_);
  std::size_t reached = 0;
  if (const auto found = channels_.find(channel); found != channels_.end()) {
    for (const auto& inbox : found->second) {
      if (payload != nullptr) inbox->put(published(channel, *payload, nullptr));
      ++reached;
    }
  }
  for (const auto& [pattern, listeners] : patterns_) {
    if (!matches_glob(pattern, channel)) continue;
    for (const auto& inbox : listeners) {
      if (payload != nullptr) {
        inbox->put(published(channel, *payload, &pattern));
      }
      ++reached;
    }
  }
  return reached;
}

std::vector<std::string> PubSub::channels() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, listeners] : channels_) names.push_back(name);
  return names;
}

std::size_t PubSub::listeners(const std::string& channel) const {
  const std::lock_guard lock(mutex_);
  const auto found = channels_.find(channel);
  return found == channels_.end() ? 0 : found->second.size();
}

std::size_t PubSub::patterns() const {
  const std::lock_guard lock(mutex_);
  return patterns_.size();
}

}  // namespace edged::redis
