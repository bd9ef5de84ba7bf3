// SPDX-License-Identifier: Apache-2.0
// The sections "queues" and "queue_push" of a configuration.
#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

constexpr const char* kSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

std::string with_secret(const std::string& push) {
  return with_worker(R"("queue_push": [ { "queue": "q", "secret": ")" + std::string(kSecret) +
                     "\", " + push + " } ]");
}

std::string with_consumer(const std::string& consumer) {
  return with_worker(R"("queues": { "consumers": [ { )" + consumer + " } ] }");
}

TEST_F(ConfigTest, ReadsQueuesInWranglersShape) {
  const Loaded loaded = load(with_worker(R"("queues": {
      "producers": [ { "queue": "images", "binding": "Q", "delivery_delay": 5 } ],
      "consumers": [ { "queue": "images", "type": "worker", "max_batch_size": 100, "max_batch_timeout": 60,
                       "max_retries": 100, "retry_delay": 86400, "dead_letter_queue": "images-dlq",
                       "max_concurrency": 250 },
                     { "queue": "pulled", "type": "http_pull", "visibility_timeout_ms": 43200000,
                       "max_retries": 0, "retry_delay": 0 },
                     { "queue": "plain", "max_concurrency": null, "max_batch_timeout": 0 } ] },
      "queue_push": [ { "queue": "images", "url": "https://u/x", "secret": ")" +
                                         std::string(kSecret) + R"(", "timeout": "5s" },
                      { "queue": "plain", "url": "http://[::1]:8080/x", "secret": ")" +
                                         std::string(kSecret) + R"(" } ])"));
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.warnings.size(), 0U);
  const Config& config = loaded.config;
  ASSERT_EQ(config.queue_producers.size(), 1u);
  EXPECT_EQ(config.queue_producers[0].queue, "images");
  EXPECT_EQ(config.queue_producers[0].delivery_delay, 5);
  ASSERT_EQ(config.queue_consumers.size(), 3U);
  const QueueConsumer& images = config.queue_consumers[0];
  EXPECT_EQ(images.max_batch_size, 100);
  EXPECT_EQ(images.max_batch_timeout, 60);
  EXPECT_EQ(images.max_retries, 100);
  EXPECT_EQ(images.retry_delay, 86'400);
  EXPECT_EQ(images.dead_letter_queue, "images-dlq");
  EXPECT_EQ(images.max_concurrency, 250);
  EXPECT_EQ(config.queue_consumers[1].type, "http_pull");
  EXPECT_EQ(config.queue_consumers[1].visibility_timeout_ms, 43'200'000);
  const QueueConsumer& plain = config.queue_consumers[2];
  EXPECT_EQ(plain.type, "worker");
  EXPECT_EQ(plain.max_batch_size, 10);
  EXPECT_EQ(plain.max_retries, 3);
  EXPECT_EQ(plain.max_concurrency, 1);
  ASSERT_EQ(config.queue_push.size(), 2U);
  EXPECT_EQ(config.queue_push[0].timeout, std::chrono::seconds(5));
  EXPECT_EQ(config.queue_push[1].timeout, std::chrono::seconds(30));
}

TEST_F(ConfigTest, ComplainsOfQueuesOutOfRange) {
  struct Case {
    const char* text;
    const char* complaint;
  };
  for (const Case& one : {
           Case{R"("queue": "q", "max_batch_size": 101)",
                "max_batch_size: 101 is out of range: 1 to 100 is allowed"},
           Case{R"("queue": "q", "max_batch_size": 0)", "0 is out of range: 1 to 100"},
           Case{R"("queue": "q", "max_batch_timeout": 61)", "61 is out of range: 0 to 60"},
           Case{R"("queue": "q", "max_retries": -1)", "-1 is out of range: 0 to 100"},
           Case{R"("queue": "q", "retry_delay": 86401)", "86401 is out of range: 0 to 86400"},
           Case{R"("queue": "q", "max_concurrency": 251)", "251 is out of range: 1 to 250"},
           Case{R"("queue": "q", "max_concurrency": 0)", "0 is out of range: 1 to 250"},
           Case{R"("queue": "q", "visibility_timeout_ms": 0)", "0 is out of range: 1 to 43200000"},
           Case{R"("queue": "q", "type": "pull")", "\"pull\" is not one of worker, http_pull"},
           Case{R"("queue": "q", "max_batches": 1)", "max_batches: unknown key. Known here: queue"},
           Case{R"("max_retries": 1)", "queues.consumers[0].queue: is missing"},
           Case{R"("queue": "q q")", "queues.consumers[0].queue: \"q q\" is not a queue's name"},
           Case{R"("queue": "")", "\"\" is not a queue's name"},
           Case{R"("queue": "q.q")", "\"q.q\" is not a queue's name"},
           Case{R"("queue": "-q")", "\"-q\" is not a queue's name"},
           Case{R"("queue": "q", "dead_letter_queue": "q")", "dead_letter_queue: is the queue"},
           Case{R"("queue": "q", "dead_letter_queue": "d/q")", "\"d/q\" is not a queue's name"},
           Case{R"("queue": "email", "type": "http_pull")",
                "type: the queue \"email\" is consumed"},
           Case{R"("queue": "q" }, { "queue": "q")",
                "queues.consumers[1].queue: \"q\" has another"},
       }) {
    const std::string found = complaints(load(with_consumer(one.text)));
    EXPECT_NE(found.find(one.complaint), std::string::npos) << one.text << "\n" << found;
  }
  const std::string longest(63, 'q');
  EXPECT_EQ(complaints(load(with_consumer("\"queue\": \"" + longest + "\""))), "");
  EXPECT_NE(complaints(load(with_consumer("\"queue\": \"" + longest + "q\""))), "");
}

TEST_F(ConfigTest, WarnsOfQueueKeysWithoutEffect) {
  struct Case {
    std::string text;
    const char* warning;
  };
  for (const Case& one : {
           Case{with_consumer(R"("queue": "q")"), "edged itself does not consume \"q\""},
           Case{with_consumer(R"("queue": "q", "type": "http_pull", "max_batch_size": 5)"),
                "max_batch_size: has no effect for a consumer of type \"http_pull\""},
           Case{with_consumer(R"("queue": "email", "visibility_timeout_ms": 5)"),
                "visibility_timeout_ms: has no effect"},
           Case{with_secret(R"("url": "http://app.example/x")"), "without TLS"},
           Case{with_secret(R"("url": "http://127.0.0.1@app.example:80/x")"), "without TLS"},
       }) {
    const Loaded loaded = load(one.text);
    EXPECT_EQ(complaints(loaded), "");
    ASSERT_EQ(loaded.warnings.size(), 1U) << one.text;
    EXPECT_NE(loaded.warnings[0].find(one.warning), std::string::npos) << loaded.warnings[0];
  }
  for (const std::string& text : {with_consumer(R"("queue": "email")"),
                                  with_consumer(R"("queue": "q", "type": "http_pull")"),
                                  with_secret(R"("url": "http://localhost/x")")}) {
    EXPECT_EQ(load(text).warnings.size(), 0U) << text;
  }
}

TEST_F(ConfigTest, ComplainsOfPushesThatCannotWork) {
  struct Case {
    std::string push;
    const char* complaint;
  };
  const std::string secret = "\"secret\": \"" + std::string(kSecret) + "\"";
  const std::string base = R"("queue": "q", "url": "http://127.0.0.1/", )";
  const std::string missing = directory_.path() + "/none";
  for (const Case& one : {
           Case{R"("queue": "q", )" + secret, "queue_push[0].url: is missing"},
           Case{R"("url": "http://127.0.0.1/", )" + secret, "queue_push[0].queue: is missing"},
           Case{R"("queue": "q", "url": "ftp://h/", )" + secret,
                "url: is not an http or https URL"},
           Case{R"("queue": "q", "url": "http://127.0.0.1/")", "secret: is missing: it signs"},
           Case{base + R"("secret": "hunter2!")", "secret: is not base64 of 24 to 64 bytes"},
           Case{base + R"("secret": "MDEyMw==")", "secret: is not base64 of 24 to 64 bytes"},
           Case{base + R"("secret_file": ")" + missing + "\"", "secret_file: "},
           Case{base + secret + R"(, "secret_file": "x")", "exclude each other"},
           Case{base + secret + R"(, "timeout": "0s")", "timeout: is not between 1ms and 15m"},
           Case{base + secret + R"(, "timeout": "16m")", "timeout: is not between 1ms and 15m"},
           Case{base + secret + R"(, "timeout": 5)", "expected a string with a unit"},
           Case{base + secret + R"(, "tls_ca": ")" + missing + "\"", "tls_ca: could not read"},
           Case{base + secret + R"(, "retries": 5)", "retries: unknown key"},
           Case{R"("queue": "email", "url": "http://127.0.0.1/", )" + secret,
                "\"email\" is consumed"},
           Case{base + secret + " }, { " + base + secret, "\"q\" has another entry of queue_push"},
       }) {
    const std::string found =
        complaints(load(with_worker("\"queue_push\": [ { " + one.push + " } ]")));
    EXPECT_NE(found.find(one.complaint), std::string::npos) << one.push << "\n" << found;
    EXPECT_EQ(found.find("hunter2"), std::string::npos) << found;
  }
  const std::string both = complaints(load(with_worker(
      "\"queue_push\": [ { " + base + secret +
      R"( } ], "queues": { "consumers": [ { "queue": "q", "type": "http_pull" } ] })")));
  EXPECT_NE(both.find("has a consumer of type \"http_pull\""), std::string::npos) << both;
}

TEST_F(ConfigTest, ASecretOfAPushMayStandInAFileAndIsNotNeededByOthers) {
  const std::string file = write("secret", std::string(kSecret) + "\n");
  const std::string push = R"("queue_push": [ { "queue": "q", "url": "http://127.0.0.1/", )";
  EXPECT_EQ(complaints(load(with_worker(push + "\"secret_file\": \"" + file + "\" } ]"))), "");
  write("secret", "hunter2\n");
  const std::string found =
      complaints(load(with_worker(push + "\"secret_file\": \"" + file + "\" } ]")));
  EXPECT_NE(found.find("secret_file: is not base64"), std::string::npos) << found;
  const std::string unset = with_worker(push + R"("secret": "${UNSET}" } ])");
  EXPECT_NE(complaints(load(unset)).find("UNSET is not set"), std::string::npos);
  EXPECT_EQ(complaints(load(unset, Scope::kNode)), "");
  EXPECT_EQ(complaints(load(unset, Scope::kQueue)), "");
}

}  // namespace
}  // namespace edged::config
