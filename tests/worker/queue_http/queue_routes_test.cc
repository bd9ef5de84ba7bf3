// SPDX-License-Identifier: Apache-2.0
// The Queues API over a loopback socket and a real PostgreSQL.
#include "worker/queue_http/queue_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "proto/net/spawn.h"
#include "tests/support/pg_pool_fixture.h"
#include "worker/db/migrate.h"

namespace edged::queue {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::ip::tcp;
using ::testing::HasSubstr;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

struct Answer {
  int status = 0;
  json::value body;
};

class QueueRoutesTest : public test::PgPoolFixture {
 protected:
  QueueRoutesTest() {
    db::MigrateOptions schema;
    schema.url = cluster_.url(database_);
    const auto migrated = test::run_awaitable(io_, db::migrate(io_.get_executor(), schema));
    if (!migrated) ADD_FAILURE() << migrated.error().to_string();
    http::ServerOptions options;
    options.address = "127.0.0.1:0";
    server_.emplace(io_.get_executor(), options);
    QueueRoutes routes;
    routes.secret = [this] { return secret_; };
    routes.consumed = {"email"};
    add_queue_routes(*server_, std::move(routes), pool_, clock_);
    const Status listening = server_->listen();
    if (!listening.ok()) ADD_FAILURE() << listening.to_string();
  }

  asio::awaitable<std::string> exchange(std::string bytes) {
    const std::string address = server_->address();
    const auto port = std::stoi(address.substr(address.rfind(':') + 1));
    tcp::socket socket(io_);
    const tcp::endpoint endpoint(asio::ip::make_address("127.0.0.1"),
                                 static_cast<std::uint16_t>(port));
    co_await socket.async_connect(endpoint, kAwait);
    co_await asio::async_write(socket, asio::buffer(bytes), kAwait);
    std::string response;
    co_await asio::async_read(socket, asio::dynamic_buffer(response), kAwait);
    co_return response;
  }
  Answer ask(const std::string& method_and_path,
             const std::string& body = "",
             const std::string& token = "s3cret") {
    std::string bytes = method_and_path;
    bytes.insert(bytes.find(' ') + 1, "/client/v4/accounts/me/queues");
    bytes += " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ";
    bytes += std::to_string(body.size());
    if (!token.empty()) bytes += "\r\nAuthorization: Bearer " + token;
    bytes += "\r\n\r\n" + body;
    const std::string response = test::run_awaitable(io_, exchange(std::move(bytes)));
    const std::size_t end = response.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    Answer answer{std::stoi(response.substr(9, 3)), json::parse(response.substr(end + 4))};
    EXPECT_EQ(answer.body.at("success").as_bool(), answer.status == 200) << response;
    return answer;
  }
  json::value result(const std::string& method_and_path, const std::string& body = "") {
    const Answer answer = ask(method_and_path, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.status == 200 ? answer.body.at("result") : json::value(json::object());
  }
  void create_pulled(const std::string& name) {
    result("POST ", R"({"queue_name":")" + name + "\"}");
    result("POST /" + name + "/consumers", R"({"type":"http_pull","settings":{"max_retries":1}})");
  }

  db::PgPool pool_{io_.get_executor(), options(2), metrics_};
  SystemClock clock_;
  std::string secret_ = "s3cret";
  std::optional<http::Server> server_;
};

TEST_F(QueueRoutesTest, CreatesChangesAndDeletesQueues) {
  const json::value made = result("POST ", R"({"queue_name":"jobs"})");
  const std::string id(made.at("queue_id").as_string());
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(ask("POST ", R"({"queue_name":"jobs"})").status, 409);
  EXPECT_EQ(result("GET ").as_array().size(), 2u);  // and email
  EXPECT_EQ(result("GET ?name=jobs").as_array().size(), 1u);
  EXPECT_EQ(result("GET /" + id).at("queue_name").as_string(), "jobs");
  const json::value changed =
      result("PATCH /jobs", R"({"settings":{"delivery_delay":7,"message_retention_period":3600}})");
  EXPECT_EQ(
      changed.at("settings"),
      (json::value{
          {"delivery_delay", 7}, {"delivery_paused", false}, {"message_retention_period", 3600}}));
  result("POST /jobs/messages", R"({"body":1})");
  result("DELETE /jobs");
  EXPECT_EQ(ask("GET /jobs").status, 404);
  EXPECT_EQ(ask("DELETE /email").status, 409);
  EXPECT_EQ(value(pool_, "select count(*)::text from edged.queue_messages"), "0");
}

TEST_F(QueueRoutesTest, SendsPullsAcknowledgesAndPurges) {
  create_pulled("jobs");
  result("POST /jobs/messages", R"({"body":"a","content_type":"text"})");
  result(
      "POST /jobs/messages/batch",
      R"({"messages":[{"body":{"b":2}},{"body":"c","content_type":"text","delay_seconds":60}]})");
  const json::value pulled = result("POST /jobs/messages/pull", R"({"batch_size":100})");
  ASSERT_EQ(pulled.at("messages").as_array().size(), 2u);
  EXPECT_EQ(pulled.at("message_backlog_count"), 3);
  const json::array& messages = pulled.at("messages").as_array();
  const std::string first(messages[0].at("lease_id").as_string());
  const std::string second(messages[1].at("lease_id").as_string());
  const json::value settled =
      result("POST /jobs/messages/ack",
             R"({"acks":[{"lease_id":")" + first +
                 R"("},{"lease_id":"none"}],"retries":[{"lease_id":")" + second + "\"}]}");
  EXPECT_EQ(settled.at("ackCount"), 1);
  EXPECT_EQ(settled.at("retryCount"), 1);
  EXPECT_TRUE(settled.at("warnings").as_object().contains("none"));
  EXPECT_EQ(result("POST /jobs/messages/pull").at("messages").as_array().size(), 1u);
  EXPECT_EQ(ask("POST /jobs/purge", "{}").status, 400);
  result("POST /jobs/purge", R"({"delete_messages_permanently":true})");
  EXPECT_EQ(value(pool_, "select count(*)::text from edged.queue_messages"), "1");  // leased
}

TEST_F(QueueRoutesTest, LooksAtMessagesAndDeletesThemByReference) {
  result("POST ", R"({"queue_name":"jobs"})");  // without a consumer
  for (const char* body : {R"({"body":"a","content_type":"text"})", R"({"body":{"b":2}})"}) {
    result("POST /jobs/messages", body);
  }
  EXPECT_EQ(
      result("POST /jobs/messages/peek", R"({"batch_size":1})").at("messages").as_array().size(),
      1u);
  const json::value peeked = result("POST /jobs/messages/peek");
  const json::array& messages = peeked.at("messages").as_array();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].at("body").as_string(), "a");
  EXPECT_EQ(messages[0].at("attempts"), 0);
  EXPECT_EQ(messages[0].at("metadata").at("CF-Content-Type").as_string(), "text");
  EXPECT_EQ(messages[1].at("body").as_string(), "eyJiIjogMn0=");
  const std::string ref(messages[0].at("ref").as_string());
  const std::string asked = R"({"refs":[{"ref":")" + ref + R"("},{"ref":"no\u0000ne"}]})";
  const json::value purged = result("POST /jobs/messages/purge", asked);
  EXPECT_EQ(purged.at("errors").as_array().size(), 0u);
  EXPECT_EQ(purged.at("warnings").as_object().size(), 1u);
  const json::value again = result("POST /jobs/messages/purge", asked);
  EXPECT_TRUE(again.at("warnings").as_object().contains(ref));
  EXPECT_EQ(result("POST /jobs/messages/peek").at("messages").as_array().size(), 1u);
}

TEST_F(QueueRoutesTest, TellsTheBacklog) {
  create_pulled("jobs");
  const json::value empty = result("GET /jobs/metrics");
  EXPECT_EQ(empty,
            (json::value{
                {"backlog_bytes", 0}, {"backlog_count", 0}, {"oldest_message_timestamp_ms", 0}}));
  const json::value sent = result("POST /jobs/messages", R"({"body":1})");
  EXPECT_EQ(sent.at("metadata").at("metrics").at("backlog_count"), 1);
  const json::value more = result("POST /jobs/messages/batch",
                                  R"({"messages":[{"body":2},{"body":3,"delay_seconds":60}]})");
  EXPECT_EQ(more.at("metadata").at("metrics").at("backlog_count"), 3);
  const json::value pulled = result("POST /jobs/messages/pull", R"({"batch_size":1})");
  EXPECT_EQ(pulled.at("metadata").at("metrics").at("backlog_count"), 3);
  const std::string lease(pulled.at("messages").at(0).at("lease_id").as_string());
  result("POST /jobs/messages/ack", R"({"acks":[{"lease_id":")" + lease + "\"}]}");
  EXPECT_EQ(result("POST /jobs/messages/pull").at("message_backlog_count"), 2);
  const json::value metrics = result("GET /jobs/metrics");
  EXPECT_EQ(metrics.at("backlog_bytes"), 2);
  EXPECT_EQ(metrics.at("backlog_count"), 2);
  EXPECT_GT(metrics.at("oldest_message_timestamp_ms").as_int64(), 1'700'000'000'000);
}

TEST_F(QueueRoutesTest, ListsHaveOnePage) {
  result("POST ", R"({"queue_name":"jobs"})");
  const Answer listed = ask("GET ");
  EXPECT_EQ(
      listed.body.at("result_info"),
      (json::value{
          {"page", 1}, {"per_page", 2}, {"count", 2}, {"total_count", 2}, {"total_pages", 1}}));
}

TEST_F(QueueRoutesTest, ConsumersComeAndGo) {
  result("POST ", R"({"queue_name":"jobs"})");
  EXPECT_EQ(ask("POST /jobs/messages/pull").status, 400);
  const json::value made =
      result("POST /jobs/consumers", R"({"type":"http_pull","dead_letter_queue":"dead"})");
  EXPECT_EQ(ask("GET /dead").status, 200);
  EXPECT_EQ(ask("POST /jobs/consumers", R"({"type":"http_pull"})").status, 409);
  EXPECT_EQ(ask("POST /email/consumers", R"({"type":"http_pull"})").status, 409);
  const std::string path = "/jobs/consumers/" + std::string(made.at("consumer_id").as_string());
  EXPECT_EQ(result("PUT " + path, R"({"type":"http_pull","settings":{"retry_delay":9}})")
                .at("settings")
                .at("retry_delay"),
            9);
  EXPECT_EQ(result("GET /jobs/consumers").as_array().size(), 1u);
  result("DELETE " + path);
  EXPECT_EQ(result("GET /jobs/consumers").as_array().size(), 0u);
  EXPECT_EQ(ask("GET " + path).status, 404);
}

TEST_F(QueueRoutesTest, LetsNobodyInWithoutTheSecret) {
  for (const char* token : {"", "s3cre", "s3cret2", "S3cret"}) {
    const Answer answer = ask("GET ", "", token);
    EXPECT_EQ(answer.status, 401) << token;
    EXPECT_EQ(answer.body.at("errors").at(0).at("code"), 10000);
  }
  secret_ = "";
  EXPECT_EQ(ask("GET ", "", "").status, 503);
  EXPECT_EQ(ask("GET ", "", " ").status, 503);
}

TEST_F(QueueRoutesTest, RefusesWhatIsWrong) {
  create_pulled("jobs");
  struct Case {
    const char* call;
    std::string body;
    int status;
  };
  for (const Case& one :
       {Case{"POST ", "{}", 400},
        Case{"POST ", R"({"queue_name":"no good"})", 400},
        Case{"PUT ", "{}", 405},
        Case{"GET /none", "", 404},
        Case{"GET /%27%22", "", 404},
        Case{"GET /jobs/messages", "", 405},
        Case{"POST /jobs/messages/x", "{}", 404},
        Case{"POST /jobs/messages/pull/x", "{}", 404},
        Case{"POST /jobs/messages", "{", 400},
        Case{"POST /jobs/messages", R"({"body":"\u0000"})", 400},
        Case{"POST /jobs/messages", R"({"body":")" + std::string(128'001, 'x') + "\"}", 413},
        Case{"POST /jobs/messages/pull", R"({"batch_size":0})", 400},
        Case{"POST /jobs/messages/peek", R"({"batch_size":101})", 400},
        Case{"POST /jobs/messages/purge", "{}", 400},
        Case{"GET /jobs/messages/peek", "", 405},
        Case{"POST /jobs/metrics", "{}", 405},
        Case{"GET /none/metrics", "", 404},
        Case{"GET /jobs/metrics/x", "", 404},
        Case{"PATCH /jobs", R"({"queue_name":"other"})", 400},
        Case{"POST /jobs/consumers", R"({"type":"worker"})", 409}}) {
    EXPECT_EQ(ask(one.call, one.body).status, one.status) << one.call;
  }
  result("PATCH /jobs", R"({"settings":{"delivery_paused":true}})");
  EXPECT_EQ(ask("POST /jobs/messages/pull").status, 409);
  EXPECT_EQ(value(pool_, "select count(*)::text from edged.queue_messages"), "0");
}

}  // namespace
}  // namespace edged::queue
