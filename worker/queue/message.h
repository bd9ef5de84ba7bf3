// SPDX-License-Identifier: Apache-2.0
// A message that a consumer has claimed, and what was decided of it. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/clock.h"

namespace edged::queue {

struct Message {
  std::int64_t id = 0;
  std::int64_t claim = 0;    // the batch's row in edged.queue_claims: names the lease
  std::string body;          // JSON text
  std::string content_type;  // "json", "text", "bytes" (base64 in a JSON string)
  int attempts = 0;          // this one included
  WallTime sent_at{};
};

struct OutgoingMessage {
  std::string body;                                // JSON
  std::string content_type = "json";               // "json", "text", "bytes": see Message
  std::optional<std::chrono::milliseconds> delay;  // none: the queue's delivery_delay
};

struct Decision {
  // kForget: somebody else has ended it, or the claim is lost; nothing is recorded.
  enum class Kind { kAck, kRetry, kDead, kForget };
  Kind kind = Kind::kAck;
  Message message;
  std::optional<WallTime> due_at;  // of kRetry; none: after ConsumerOptions::retry_delay
  bool uncounted = false;          // of kRetry: the attempt does not count; without due_at: at once
  std::string reason;              // of kDead: why
  std::string note;  // what the handler wants its own record to say (ConsumerOptions::record)
};

}  // namespace edged::queue
