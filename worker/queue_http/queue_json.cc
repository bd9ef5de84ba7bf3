// SPDX-License-Identifier: Apache-2.0
// See queue_json.h.
#include "worker/queue_http/queue_json.h"

#include <utility>

#include "proto/base/base64.h"
#include "proto/json/write_json.h"

namespace edged::queue {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 100;

Status invalid(const std::string& what) {
  return Status(Code::kInvalidArgument, what);
}

// The integer under `key`, if it is there and not null.
Result<std::optional<std::int64_t>> integer_of(const json::object& object,
                                               const char* key,
                                               std::int64_t min,
                                               std::int64_t max) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
  if (value->is_int64() && value->get_int64() >= min && value->get_int64() <= max) {
    return std::optional<std::int64_t>(value->get_int64());
  }
  std::string text = "\"";
  text += key;
  text += "\" is not an integer between ";
  text += std::to_string(min);
  text += " and ";
  text += std::to_string(max);
  return invalid(text);
}

Result<std::optional<std::chrono::seconds>> seconds_of(const json::object& object,
                                                       const char* key,
                                                       std::int64_t min,
                                                       std::int64_t max) {
  const auto number = integer_of(object, key, min, max);
  if (!number) return number.error();
  if (!*number) return std::optional<std::chrono::seconds>();
  return std::optional<std::chrono::seconds>(**number);
}

Result<std::optional<std::chrono::milliseconds>> delay_of(const json::object& object) {
  const auto seconds = seconds_of(object, "delay_seconds", 0, kDelaySecondsMax);
  if (!seconds) return seconds.error();
  if (!*seconds) return std::optional<std::chrono::milliseconds>();
  return std::optional<std::chrono::milliseconds>(**seconds);
}

// The array under `key`; null if it is not there.
Result<const json::array*> array_of(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return static_cast<const json::array*>(nullptr);
  if (!value->is_array()) return invalid("\"" + std::string(key) + "\" is not an array");
  return &value->get_array();
}

Result<std::string> lease_of(const json::value& entry) {
  const json::value* id = entry.is_object() ? entry.get_object().if_contains("lease_id") : nullptr;
  if (id == nullptr || !id->is_string()) {
    return invalid("an entry of \"acks\" or \"retries\" is no object with a \"lease_id\"");
  }
  return std::string(id->get_string());
}

// What Cloudflare's consumers get: text as it is, bytes as base64, and JSON as base64 of its text.
std::string outgoing_body(const Message& message) {
  if (message.content_type == "json") return to_base64(message.body);
  boost::system::error_code error;
  const json::value value = json::parse(message.body, error);
  if (error || !value.is_string()) return to_base64(message.body);
  return std::string(value.get_string());
}

json::object describe_message(const Message& message) {
  return {{"id", std::to_string(message.id)},
          {"body", outgoing_body(message)},
          {"timestamp_ms", to_unix_ms(message.sent_at)},
          {"attempts", message.attempts},
          {"metadata", json::object{{"CF-Content-Type", message.content_type}}}};
}

std::string time_text(WallTime time) {
  return format_rfc3339(time);
}

}  // namespace

Result<json::object> parse_object(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return json::object();
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::value value = json::parse(text, error, {}, options);
  if (error) return invalid("the body is not JSON, or is nested more than 100 levels deep");
  if (!value.is_object()) return invalid("the body is no JSON object");
  return std::move(value.get_object());
}

Result<OutgoingMessage> parse_message(const json::object& asked) {
  OutgoingMessage message;
  if (const json::value* type = asked.if_contains("content_type")) {
    if (!type->is_string()) return invalid("\"content_type\" is not a string");
    message.content_type = std::string(type->get_string());
  }
  const std::string& type = message.content_type;
  if (type != "json" && type != "text" && type != "bytes") {
    return invalid("\"content_type\" is not \"json\", \"text\" or \"bytes\"");
  }
  const json::value* body = asked.if_contains("body");
  if (body == nullptr) return invalid("a message has no \"body\"");
  if (type != "json" && !body->is_string()) {
    return invalid("the \"body\" of a message of content type \"" + type + "\" is not a string");
  }
  if (type == "bytes" && !from_base64(std::string_view(body->get_string()))) {
    return invalid("the \"body\" of a message of content type \"bytes\" is not base64");
  }
  const std::size_t plain = body->is_string() ? body->get_string().size() : 0;
  message.body = write_json(*body);
  if ((type == "json" ? message.body.size() : plain) > kMessageBytesMax) {
    return Status(Code::kTooLarge, "a message is longer than 128,000 bytes");
  }
  const auto delay = delay_of(asked);
  if (!delay) return delay.error();
  message.delay = *delay;
  return message;
}

Result<std::vector<OutgoingMessage>> parse_batch(const json::object& asked) {
  const auto delay = delay_of(asked);
  if (!delay) return delay.error();
  const auto list = array_of(asked, "messages");
  if (!list) return list.error();
  if (*list == nullptr || (*list)->empty() || (*list)->size() > kBatchMessagesMax) {
    return invalid("\"messages\" is not an array of 1 to 100 messages");
  }
  std::vector<OutgoingMessage> messages;
  std::size_t bytes = 0;
  for (const json::value& entry : **list) {
    if (!entry.is_object()) return invalid("an entry of \"messages\" is no object");
    Result<OutgoingMessage> message = parse_message(entry.get_object());
    if (!message) return message.error();
    if (!message->delay) message->delay = *delay;
    bytes += message->body.size();
    if (bytes > kBatchBytesMax) {
      return Status(Code::kTooLarge, "the batch is longer than 256,000 bytes");
    }
    messages.push_back(std::move(*message));
  }
  return messages;
}

Result<int> parse_batch_size(const json::object& asked) {
  const auto size = integer_of(asked, "batch_size", 1, QueuePull::kBatchSizeMax);
  if (!size) return size.error();
  return *size ? static_cast<int>(**size) : kBatchSizeDefault;
}

Result<PullAsked> parse_pull(const json::object& asked) {
  PullAsked pull;
  const Result<int> size = parse_batch_size(asked);
  if (!size) return size.error();
  pull.batch_size = *size;
  const auto timeout =
      integer_of(asked, "visibility_timeout_ms", 1, QueuePull::kVisibilityTimeoutMax.count());
  if (!timeout) return timeout.error();
  if (*timeout) pull.visibility_timeout = std::chrono::milliseconds(**timeout);
  return pull;
}

Result<std::vector<std::string>> parse_refs(const json::object& asked) {
  const auto list = array_of(asked, "refs");
  if (!list) return list.error();
  if (*list == nullptr || (*list)->empty() || (*list)->size() > QueuePull::kBatchSizeMax) {
    return invalid("\"refs\" is not an array of 1 to 100 objects");
  }
  std::vector<std::string> refs;
  for (const json::value& entry : **list) {
    const json::value* ref = entry.is_object() ? entry.get_object().if_contains("ref") : nullptr;
    if (ref == nullptr || !ref->is_string()) {
      return invalid("an entry of \"refs\" is no object with a \"ref\", as \"peek\" gives them");
    }
    refs.emplace_back(ref->get_string());
  }
  return refs;
}

Result<SettleAsked> parse_settle(const json::object& asked) {
  SettleAsked settle;
  const auto acks = array_of(asked, "acks");
  if (!acks) return acks.error();
  const auto retries = array_of(asked, "retries");
  if (!retries) return retries.error();
  if (*acks == nullptr && *retries == nullptr) {
    return invalid("neither \"acks\" nor \"retries\" is there");
  }
  for (const json::value& entry : *acks == nullptr ? json::array() : **acks) {
    Result<std::string> lease = lease_of(entry);
    if (!lease) return lease.error();
    settle.acks.push_back(std::move(*lease));
  }
  for (const json::value& entry : *retries == nullptr ? json::array() : **retries) {
    Result<std::string> lease = lease_of(entry);
    if (!lease) return lease.error();
    const auto delay = delay_of(entry.get_object());
    if (!delay) return delay.error();
    settle.retries.push_back({std::move(*lease), *delay});
  }
  return settle;
}

Result<QueueChange> parse_settings(const json::object& asked) {
  QueueChange change;
  const json::value* found = asked.if_contains("settings");
  if (found == nullptr || found->is_null()) return change;
  if (!found->is_object()) return invalid("\"settings\" is no object");
  const json::object& settings = found->get_object();
  const auto delay = seconds_of(settings, "delivery_delay", 0, kDelaySecondsMax);
  if (!delay) return delay.error();
  change.delivery_delay = *delay;
  const auto retention = seconds_of(settings, "message_retention_period", 60, 14 * 86'400);
  if (!retention) return retention.error();
  change.message_retention = *retention;
  if (const json::value* paused = settings.if_contains("delivery_paused")) {
    if (!paused->is_bool()) return invalid("\"delivery_paused\" is not true or false");
    change.is_paused = paused->get_bool();
  }
  return change;
}

Result<ConsumerAsked> parse_consumer(const json::object& asked) {
  ConsumerAsked consumer;
  const json::value* type = asked.if_contains("type");
  if (type == nullptr || !type->is_string()) return invalid("\"type\" is missing");
  consumer.type = std::string(type->get_string());
  QueueChange& change = consumer.change;
  if (const json::value* dead = asked.if_contains("dead_letter_queue")) {
    if (!dead->is_string() && !dead->is_null()) {
      return invalid("\"dead_letter_queue\" is not a string");
    }
    change.dead_letter_queue = dead->is_null() ? "" : std::string(dead->get_string());
  }
  const json::value* found = asked.if_contains("settings");
  if (found == nullptr || found->is_null()) return consumer;
  if (!found->is_object()) return invalid("\"settings\" is no object");
  const json::object& settings = found->get_object();
  const auto retries = integer_of(settings, "max_retries", 0, 100);
  if (!retries) return retries.error();
  if (*retries) change.max_retries = static_cast<int>(**retries);
  const auto delay = seconds_of(settings, "retry_delay", 0, kDelaySecondsMax);
  if (!delay) return delay.error();
  change.retry_delay = *delay;
  const auto timeout =
      integer_of(settings, "visibility_timeout_ms", 1, QueuePull::kVisibilityTimeoutMax.count());
  if (!timeout) return timeout.error();
  if (*timeout) change.visibility_timeout = std::chrono::milliseconds(**timeout);
  return consumer;
}

json::object describe_consumer(const QueueInfo& queue) {
  json::object consumer{{"consumer_id", queue_id_text(queue.id)},
                        {"queue_name", queue.name},
                        {"type", "http_pull"},
                        {"created_on", time_text(queue.modified_at)}};
  if (!queue.dead_letter_queue.empty()) consumer["dead_letter_queue"] = queue.dead_letter_queue;
  consumer["settings"] = {{"max_retries", queue.max_retries},
                          {"retry_delay", queue.retry_delay.count()},
                          {"visibility_timeout_ms", queue.visibility_timeout.count()}};
  return consumer;
}

json::object describe_queue(const QueueInfo& queue) {
  json::array consumers;
  if (queue.is_pulled) consumers.push_back(describe_consumer(queue));
  json::object object{{"queue_id", queue_id_text(queue.id)},
                      {"queue_name", queue.name},
                      {"created_on", time_text(queue.created_at)},
                      {"modified_on", time_text(queue.modified_at)},
                      {"producers_total_count", 0},
                      {"producers", json::array()},
                      {"consumers_total_count", consumers.size()}};
  object["consumers"] = std::move(consumers);
  object["settings"] = {{"delivery_delay", queue.delivery_delay.count()},
                        {"delivery_paused", queue.is_paused},
                        {"message_retention_period", queue.message_retention.count()}};
  return object;
}

json::object describe_pulled(const Pulled& pulled) {
  json::array messages;
  for (const PulledMessage& one : pulled.messages) {
    json::object message = describe_message(one.message);
    message["lease_id"] = one.lease_id;
    messages.push_back(std::move(message));
  }
  return {{"message_backlog_count", pulled.backlog.messages},
          {"messages", std::move(messages)},
          {"metadata", describe_metadata(pulled.backlog)}};
}

json::object describe_peeked(const std::vector<PeekedMessage>& peeked) {
  json::array messages;
  for (const PeekedMessage& one : peeked) {
    json::object message = describe_message(one.message);
    message["ref"] = one.ref;
    messages.push_back(std::move(message));
  }
  return {{"messages", std::move(messages)}};
}

json::object describe_purged(const std::vector<std::string>& missed) {
  json::object warnings;
  for (const std::string& ref : missed) {
    warnings[ref] = "no message of this ref waits in this queue: a consumer has it, or it is gone";
  }
  return {{"errors", json::array()}, {"warnings", std::move(warnings)}};
}

json::object describe_metrics(const QueueBacklog& backlog) {
  return {{"backlog_bytes", backlog.bytes},
          {"backlog_count", backlog.messages},
          {"oldest_message_timestamp_ms", backlog.oldest ? to_unix_ms(*backlog.oldest) : 0}};
}

json::object describe_metadata(const QueueBacklog& backlog) {
  return {{"metrics", describe_metrics(backlog)}};
}

json::object describe_settled(const Settled& settled) {
  json::object warnings;
  for (const std::string& lease : settled.lost) {
    warnings[lease] = "the lease is over, or there is none of this id in this queue";
  }
  for (const std::string& lease : settled.dead) {
    warnings[lease] = "no attempt was left: the message is dead";
  }
  return {{"ackCount", settled.acked.size()},
          {"retryCount", settled.retried.size() + settled.dead.size()},
          {"warnings", std::move(warnings)}};
}

}  // namespace edged::queue
