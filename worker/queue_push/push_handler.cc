// SPDX-License-Identifier: Apache-2.0
// See push_handler.h.
#include "worker/queue_push/push_handler.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "proto/base/log.h"

namespace edged::queue {
namespace {

using boost::asio::awaitable;

std::vector<PushMessage> to_push(const std::vector<Message>& messages) {
  std::vector<PushMessage> out;
  out.reserve(messages.size());
  for (const Message& message : messages) {
    out.push_back(
        {message.id, message.attempts, message.sent_at, message.content_type, message.body});
  }
  return out;
}

void apply(const PushHandlerParts& parts, const PushResult& result, Batch& batch) {
  const WallTime now = parts.clock.wall_now();
  for (std::size_t i = 0; i < result.decisions.size(); ++i) {
    const PushDecision& decision = result.decisions[i];
    if (decision.acked) {
      batch.ack(i);
    } else {
      batch.retry(i, now + decision.delay.value_or(parts.retry_delay), "the application asked");
    }
  }
}

void retry_all(const PushHandlerParts& parts, const PushResult& result, Batch& batch) {
  const WallTime now = parts.clock.wall_now();
  for (std::size_t i = 0; i < batch.messages().size(); ++i) {
    const auto delay = parts.client.retry_delay(batch.messages()[i].attempts, result);
    batch.retry(i, now + std::max(delay, parts.retry_delay), result.error.message());
  }
}

awaitable<void> pause_and_give_back(const PushHandlerParts* parts,
                                    const PushResult* result,
                                    std::shared_ptr<Batch> batch) {
  const Status paused = co_await parts->pause_queue();
  if (!paused.ok()) {
    log::error("could not pause queue \"" + parts->client.queue() + "\": " + paused.message());
    retry_all(*parts, *result, *batch);
    co_return;
  }
  const std::string& queue = parts->client.queue();
  log::error("queue \"" + queue + "\" is paused, because its URL wants no more messages: " +
             result->error.message() + ". To go on: edged queue resume " + queue);
  for (std::size_t i = 0; i < batch->messages().size(); ++i) batch->give_back(i);
}

awaitable<Status> push_batch(const PushHandlerParts* parts, std::shared_ptr<Batch> batch) {
  std::string id = "batch_" + std::to_string(batch->messages().front().claim);
  std::vector<PushMessage> messages = to_push(batch->messages());
  std::function<bool()> stopping = [batch] { return batch->is_stopping() || batch->is_lost(); };
  const PushResult result =
      co_await parts->client.deliver(std::move(id), std::move(messages), std::move(stopping));
  switch (result.kind) {
    case PushResult::Kind::kAnswered:
      apply(*parts, result, *batch);
      break;
    case PushResult::Kind::kFailed:
      retry_all(*parts, result, *batch);
      break;
    case PushResult::Kind::kGone:
      co_await pause_and_give_back(parts, &result, batch);
      break;
    case PushResult::Kind::kStopped:
      for (std::size_t i = 0; i < batch->messages().size(); ++i) batch->give_back(i);
      break;
  }
  co_return Status();
}

}  // namespace

Handler make_push_handler(const PushHandlerParts& parts) {
  return [pointer = &parts](std::shared_ptr<Batch> batch) {
    return push_batch(pointer, std::move(batch));
  };
}

}  // namespace edged::queue
