// SPDX-License-Identifier: Apache-2.0
// The JSON of Cloudflare's Queues API: what requests ask for, and what answers say. Pure; any
// thread. docs/queues.md, "Over HTTP", has the limits.
#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"
#include "worker/queue/queue_directory.h"
#include "worker/queue/queue_peek.h"
#include "worker/queue/queue_pull.h"

namespace edged::queue {

inline constexpr std::size_t kMessageBytesMax = 128'000;
inline constexpr std::size_t kBatchBytesMax = 256'000;
inline constexpr std::size_t kBatchMessagesMax = 100;
inline constexpr int kDelaySecondsMax = 86'400;

inline constexpr int kBatchSizeDefault = 5;

struct PullAsked {
  int batch_size = kBatchSizeDefault;
  std::optional<std::chrono::milliseconds> visibility_timeout;
};
struct SettleAsked {
  std::vector<std::string> acks;
  std::vector<LeaseRetry> retries;
};
struct ConsumerAsked {
  std::string type;
  QueueChange change;
};

// Errors of all that parse: kInvalidArgument, and kTooLarge if a message or a batch is too long.
// Keys that are not known are ignored, as Cloudflare does it. An empty text is an empty object.
Result<boost::json::object> parse_object(std::string_view text);
Result<OutgoingMessage> parse_message(const boost::json::object& asked);
Result<std::vector<OutgoingMessage>> parse_batch(const boost::json::object& asked);
Result<PullAsked> parse_pull(const boost::json::object& asked);
// "batch_size": of messages that are looked at.
Result<int> parse_batch_size(const boost::json::object& asked);
// "refs": of messages to be deleted, 1 to QueuePull::kBatchSizeMax.
Result<std::vector<std::string>> parse_refs(const boost::json::object& asked);
Result<SettleAsked> parse_settle(const boost::json::object& asked);
// Of a queue: "settings".
Result<QueueChange> parse_settings(const boost::json::object& asked);
Result<ConsumerAsked> parse_consumer(const boost::json::object& asked);

boost::json::object describe_queue(const QueueInfo& queue);
boost::json::object describe_consumer(const QueueInfo& queue);
boost::json::object describe_pulled(const Pulled& pulled);
boost::json::object describe_peeked(const std::vector<PeekedMessage>& peeked);
// `missed`: the refs that named no message that could be deleted.
boost::json::object describe_purged(const std::vector<std::string>& missed);
boost::json::object describe_metrics(const QueueBacklog& backlog);
// {"metrics": {…}}, as answers to sends and pulls have it.
boost::json::object describe_metadata(const QueueBacklog& backlog);
boost::json::object describe_settled(const Settled& settled);

}  // namespace edged::queue
