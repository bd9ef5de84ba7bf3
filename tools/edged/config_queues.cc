// SPDX-License-Identifier: Apache-2.0
// See config_queues.h. The ranges are those of Cloudflare Queues (its pages "Limits" and
// "Configure Queues", 2025).
#include "tools/edged/config_queues.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "proto/base/read_file.h"
#include "proto/base/secret_file.h"
#include "proto/http/own_host.h"
#include "tools/edged/config_addresses.h"
#include "tools/edged/config_check.h"
#include "worker/http/webhook.h"

namespace edged::config {
namespace {

constexpr int kBatchSizeMax = 100;
constexpr int kBatchTimeoutSecondsMax = 60;
constexpr int kRetriesMax = 100;
constexpr int kDelaySecondsMax = 86'400;
constexpr int kConcurrencyMax = 250;
constexpr int kVisibilityTimeoutMsMax = 12 * 3600 * 1000;
constexpr std::size_t kQueueNameBytesMax = 63;
constexpr std::size_t kPemBytesMax = 16 << 20;
constexpr std::chrono::minutes kPushTimeoutMax{15};

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string element(const char* array, std::size_t i) {
  return std::string(array) + "[" + std::to_string(i) + "]";
}

bool is_queue_name(const std::string& name) {
  constexpr const char* kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  return !name.empty() && name.size() <= kQueueNameBytesMax && name.front() != '-' &&
         name.front() != '_' && name.find_first_not_of(kLetters) == std::string::npos;
}

void check_name(const std::string& path, const std::string& name, ReadContext& context) {
  if (is_queue_name(name)) return;
  context.complain(path,
                   quoted(name) +
                       " is not a queue's name: 1 to 63 of letters, digits, \"-\" and \"_\", "
                       "beginning with a letter or digit");
}

QueueConsumer read_consumer(ObjectReader& reader) {
  QueueConsumer queue;
  reader.require("queue");
  reader.text("queue", queue.queue);
  reader.choice("type", {"worker", "http_pull"}, queue.type);
  reader.integer("max_batch_size", 1, kBatchSizeMax, queue.max_batch_size);
  reader.integer("max_batch_timeout", 0, kBatchTimeoutSecondsMax, queue.max_batch_timeout);
  reader.integer("max_retries", 0, kRetriesMax, queue.max_retries);
  reader.integer("retry_delay", 0, kDelaySecondsMax, queue.retry_delay);
  reader.text("dead_letter_queue", queue.dead_letter_queue);
  // Cloudflare's word for "as it likes".
  if (reader.is_null("max_concurrency")) {
    reader.ignore("max_concurrency");
  } else {
    reader.integer("max_concurrency", 1, kConcurrencyMax, queue.max_concurrency);
  }
  reader.integer("visibility_timeout_ms", 1, kVisibilityTimeoutMsMax, queue.visibility_timeout_ms);
  return queue;
}

// Keys that the consumer's type makes no use of.
void warn_of_idle_keys(ObjectReader& reader, const QueueConsumer& queue, ReadContext& context) {
  const bool pulled = queue.type == "http_pull";
  const auto warn = [&](const char* key) {
    if (!reader.has(key)) return;
    context.warnings.push_back(reader.path_of(key) + ": has no effect for a consumer of type \"" +
                               queue.type + "\"");
  };
  if (pulled) {
    for (const char* key : {"max_batch_size", "max_batch_timeout", "max_concurrency"}) warn(key);
  } else {
    warn("visibility_timeout_ms");
  }
}

void check_consumers(const Config& config, ReadContext& context) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < config.queue_consumers.size(); ++i) {
    const QueueConsumer& queue = config.queue_consumers[i];
    const std::string path = element("queues.consumers", i);
    check_name(path + ".queue", queue.queue, context);
    if (!seen.insert(queue.queue).second) {
      context.complain(path + ".queue",
                       quoted(queue.queue) + " has another consumer. A queue has one at most");
    }
    if (queue.queue == kEmailQueue && queue.type == "http_pull") {
      context.complain(path + ".type",
                       "the queue \"email\" is consumed by the worker's role \"mail\" alone");
    }
    if (queue.dead_letter_queue.empty()) continue;
    check_name(path + ".dead_letter_queue", queue.dead_letter_queue, context);
    if (queue.dead_letter_queue == queue.queue) {
      context.complain(path + ".dead_letter_queue",
                       "is the queue itself. Name another queue, or leave the key out: then the "
                       "dead messages are kept, and \"edged queue dead\" lists them");
    }
  }
}

void check_push_secret(const std::string& path, const QueuePush& push, ReadContext& context) {
  if (push.secret.empty() && push.secret_file.empty()) {
    context.complain(path + ".secret",
                     "is missing: it signs the requests. Make one with \"openssl rand -base64 "
                     "32\", and write it here or into the file that \"secret_file\" names");
    return;
  }
  check_secret(path + ".secret", push.secret, push.secret_file, context);
  std::string text = push.secret;
  if (!push.secret_file.empty()) {
    if (!push.secret.empty()) return;
    const Result<std::string> read = read_secret_file(push.secret_file);
    if (!read) return;  // check_secret() has complained
    text = *read;
  }
  const Result<std::vector<std::string>> key = http::parse_webhook_secrets(text);
  const char* const where = push.secret_file.empty() ? ".secret" : ".secret_file";
  if (!key) context.complain(path + where, key.error().message());
}

void check_push_url(const std::string& path, const QueuePush& push, ReadContext& context) {
  if (!is_http_url(push.url)) {
    context.complain(path + ".url", "is not an http or https URL");
    return;
  }
  constexpr std::string_view kPlain = "http://";
  if (!push.url.starts_with(kPlain)) return;
  std::string authority = push.url.substr(kPlain.size());
  authority.resize(std::min(authority.find_first_of("/?#"), authority.size()));
  authority.erase(0, authority.rfind('@') + 1);
  const bool has_port = authority.find(':', authority.rfind(']') + 1) != std::string::npos;
  if (!is_loopback(has_port ? authority : authority + ":80")) {
    context.warnings.push_back(path +
                               ".url: leads to another machine without TLS, so that others on the "
                               "way can read the messages. Use https");
  }
}

void check_push(const Config& config, std::size_t i, ReadContext& context) {
  const QueuePush& push = config.queue_push[i];
  const std::string path = element("queue_push", i);
  check_name(path + ".queue", push.queue, context);
  check_push_url(path, push, context);
  check_push_secret(path, push, context);
  if (push.timeout.count() == 0 || push.timeout > kPushTimeoutMax) {
    context.complain(path + ".timeout", "is not between 1ms and 15m");
  }
  const auto ca = push.tls_ca.empty() ? FileContent() : read_small_file(push.tls_ca, kPemBytesMax);
  if (!ca) {
    context.complain(path + ".tls_ca",
                     "could not read " + quoted(push.tls_ca) + ": " + ca.error().message());
  }
  if (push.queue == kEmailQueue) {
    context.complain(path + ".queue",
                     "the queue \"email\" is consumed by the worker's role \"mail\" alone");
  }
  for (std::size_t other = 0; other < i; ++other) {
    if (config.queue_push[other].queue != push.queue) continue;
    context.complain(path + ".queue", quoted(push.queue) + " has another entry of queue_push");
  }
  for (const QueueConsumer& consumer : config.queue_consumers) {
    if (consumer.queue != push.queue || consumer.type != "http_pull") continue;
    context.complain(path + ".queue",
                     quoted(push.queue) +
                         " has a consumer of type \"http_pull\" in queues. "
                         "Leave out its type, or this entry");
  }
}

// A queue that would only grow.
void warn_of_idle_consumers(const Config& config, ReadContext& context) {
  for (std::size_t i = 0; i < config.queue_consumers.size(); ++i) {
    const QueueConsumer& queue = config.queue_consumers[i];
    const bool pushed = std::any_of(config.queue_push.begin(),
                                    config.queue_push.end(),
                                    [&](const auto& push) { return push.queue == queue.queue; });
    if (pushed || queue.type == "http_pull" || queue.queue == kEmailQueue) continue;
    context.warnings.push_back(element("queues.consumers", i) + ": edged itself does not consume " +
                               quoted(queue.queue) +
                               ". Add an entry of queue_push for it, or \"type\": \"http_pull\"");
  }
}

}  // namespace

void read_queues(const Json& queues, ReadContext& context, bool tolerant, Config& config) {
  ObjectReader reader(queues, "queues", context);
  if (const Json* array = reader.array("consumers")) {
    for_each_object(*array, "queues.consumers", context, false, tolerant, [&](ObjectReader& one) {
      config.queue_consumers.push_back(read_consumer(one));
      warn_of_idle_keys(one, config.queue_consumers.back(), context);
    });
  }
  if (const Json* array = reader.array("producers")) {
    for_each_object(*array, "queues.producers", context, false, tolerant, [&](ObjectReader& one) {
      std::string binding;
      QueueProducer& producer = config.queue_producers.emplace_back();
      one.require("queue");
      one.text("queue", producer.queue);
      one.text("binding", binding);
      one.integer("delivery_delay", 0, kDelaySecondsMax, producer.delivery_delay);
    });
  }
  reader.finish(tolerant);
}

void read_queue_push(const Json& array, ReadContext& context, bool lenient, Config& config) {
  for_each_object(array, "queue_push", context, lenient, false, [&](ObjectReader& reader) {
    QueuePush& push = config.queue_push.emplace_back();
    for (const char* key : {"queue", "url"}) reader.require(key);
    reader.text("queue", push.queue);
    reader.text("url", push.url);
    reader.text("secret", push.secret);
    reader.text("secret_file", push.secret_file);
    reader.duration("timeout", push.timeout);
    reader.text("tls_ca", push.tls_ca);
  });
}

void check_queues(const Config& config, ReadContext& context) {
  for (std::size_t i = 0; i < config.queue_producers.size(); ++i) {
    check_name(element("queues.producers", i) + ".queue", config.queue_producers[i].queue, context);
  }
  check_consumers(config, context);
  for (std::size_t i = 0; i < config.queue_push.size(); ++i) check_push(config, i, context);
  warn_of_idle_consumers(config, context);
}

}  // namespace edged::config
