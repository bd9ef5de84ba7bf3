// SPDX-License-Identifier: Apache-2.0
// The messages that a handler has been given. Each is decided at most once: the first call counts.
// A decision is recorded soon, together with others (ConsumerOptions::flush_interval); until then a
// crash means that the message is delivered again. The executor's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/queue/message.h"

namespace edged::queue {

class Batch {
 public:
  using Sink = std::function<void(Decision)>;
  // Gives each decision to `sink`, which outlives the batch or is cleared by close().
  Batch(std::vector<Message> messages, Sink sink)
      : messages_(std::move(messages)), decided_(messages_.size()), sink_(std::move(sink)) {}

  const std::vector<Message>& messages() const { return messages_; }

  // The message is done.
  void ack(std::size_t index, std::string note = {});
  // It comes again at `due_at`; one that has no attempt left becomes dead instead. Without
  // `due_at`: after ConsumerOptions::retry_delay.
  void retry(std::size_t index, std::optional<WallTime> due_at, std::string note = {});
  // It comes again at `due_at`, and the attempt does not count: it failed for a cause that is not
  // in the message.
  void retry_uncounted(std::size_t index, WallTime due_at, std::string note = {});
  // It is of no use: a dead letter at once.
  void bury(std::size_t index, std::string reason, std::string note = {});
  // Somebody else has ended it.
  void forget(std::size_t index);
  // It was not begun: another consumer may have it at once, and the attempt does not count.
  void give_back(std::size_t index);

  bool is_decided(std::size_t index) const { return decided_[index]; }
  std::size_t undecided() const;

  // The consumer is to end: begin nothing new. What is undecided when the handler returns is given
  // back.
  bool is_stopping() const { return stopping_; }
  void stop() { stopping_ = true; }
  // The claim was lost to another consumer, or may be: its lease is over and could not be renewed.
  // Begin nothing new; what is undecided when the handler returns is given back, if it is still
  // held.
  bool is_lost() const { return lost_ || std::chrono::steady_clock::now() >= held_until_; }
  void lose() { lost_ = true; }
  void hold_until(std::chrono::steady_clock::time_point end) { held_until_ = end; }

 private:
  void decide(std::size_t index, Decision decision);

  std::vector<Message> messages_;
  std::vector<bool> decided_;
  Sink sink_;
  bool stopping_ = false;
  bool lost_ = false;
  std::chrono::steady_clock::time_point held_until_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace edged::queue
