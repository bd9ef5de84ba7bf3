// SPDX-License-Identifier: Apache-2.0
// Channels in memory: who listens to which, and the messages on their way to listeners, which live
// on any reactor. A message is for those who listen now; nothing is kept. Any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace edged::redis {

struct Message {
  // kInvalidate: `payload` is a key that a client's own cache is to drop; kInvalidateAll: it is to
  // drop everything (tracking.h).
  enum class Kind { kPublished, kInvalidate, kInvalidateAll } kind = Kind::kPublished;
  std::string channel, payload;
  std::string pattern;  // of a listener to a pattern; else empty
  bool by_pattern = false;
};

// Where the messages of one listener wait for its reactor.
class Inbox {
 public:
  // If more than this waits, further messages are dropped, and the listener is to be disconnected.
  static constexpr std::size_t kBytesMax = 8 * 1024 * 1024;

  // `wake` is called on any thread when something is there; it must not block.
  explicit Inbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void put(Message message);
  // Moves the waiting messages into `messages`. False if the inbox has overflowed: messages were
  // dropped.
  bool take(std::vector<Message>& messages);

 private:
  const std::function<void()> wake_;
  std::mutex mutex_;  // guards what follows
  std::vector<Message> messages_;
  std::size_t bytes_ = 0;
  bool overflowed_ = false, woken_ = false;
};

class PubSub {
 public:
  // False if it listened already.
  bool subscribe(const std::string& channel, bool pattern, const std::shared_ptr<Inbox>& inbox);
  void unsubscribe(const std::string& channel, bool pattern, const std::shared_ptr<Inbox>& inbox);

  // Returns how many listeners got the message.
  std::size_t publish(std::string_view channel, std::string_view payload) {
    return reach(channel, &payload);
  }
  // How many listeners a message in the channel would have now.
  std::size_t count(std::string_view channel) { return reach(channel, nullptr); }

  // For PUBSUB: the channels that somebody listens to, how many do, and how many patterns there
  // are.
  std::vector<std::string> channels() const;
  std::size_t listeners(const std::string& channel) const;
  std::size_t patterns() const;

 private:
  using Listeners = std::map<std::string, std::set<std::shared_ptr<Inbox>>, std::less<>>;

  std::size_t reach(std::string_view channel, const std::string_view* payload);

  mutable std::mutex mutex_;  // guards what follows
  Listeners channels_, patterns_;
};

}  // namespace edged::redis
