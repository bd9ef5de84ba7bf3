// SPDX-License-Identifier: Apache-2.0
// What a push consumer sends and what the application answers (docs/queues.md, "Push consumers").
// The body of a request:
//   {"queue":"images","messages":[
//     {"id":"17","attempts":1,"timestamp_ms":1764480000000,"content_type":"json","body":{...}}]}
// The answer, any 2xx: empty, which accepts all messages, or
//   {"acks":[{"id":"17"}],"retries":[{"id":"18","delay_seconds":30}]}
// Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::queue {

struct PushMessage {
  std::int64_t id = 0;
  int attempts = 1;  // this one included
  WallTime sent_at{};
  std::string content_type;
  std::string body;  // JSON
};

std::string make_push_body(std::string_view queue, const std::vector<PushMessage>& messages);

struct PushDecision {
  bool acked = true;                                    // false: to be retried
  std::optional<std::chrono::milliseconds> delay = {};  // of the retry; none: the queue's
};

// The decision on each message, in the order of `messages`. A message that the answer does not name
// is retried if the answer has "acks", and else acked. One that is in both lists is retried. Ids of
// other messages are ignored; a delay is at most 24 h.
// Errors: kCorruption: the answer is neither empty nor such an object. A page that answers 200 to
// everything must not make messages disappear.
Result<std::vector<PushDecision>> parse_push_answer(std::string_view answer,
                                                    const std::vector<PushMessage>& messages);

}  // namespace edged::queue
