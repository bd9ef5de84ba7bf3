// SPDX-License-Identifier: Apache-2.0
// The REST face on a real store, its server on a thread of its own, and a client that sends raw
// requests over a loopback socket.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <cctype>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kvstore/access/access_table.h"
#include "kvstore/access/token_file.h"
#include "kvstore/http/rest_api.h"
#include "kvstore/operations/operations.h"
#include "proto/base/metrics.h"
#include "proto/http/request.h"
#include "proto/http/server.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::kv_http {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::ip::tcp;

struct Answer {
  int status = 0;
  std::string reason;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // chunks joined

  json::object envelope() const { return json::parse(body).as_object(); }
  json::value result() const {
    const json::object whole = envelope();
    EXPECT_TRUE(whole.at("success").as_bool()) << body;
    EXPECT_TRUE(whole.at("errors").as_array().empty());
    EXPECT_TRUE(whole.at("messages").as_array().empty());
    EXPECT_EQ(headers.at("content-type"), "application/json");
    EXPECT_EQ(status, 200);
    return whole.at("result");
  }
  json::array items() const { return result().as_array(); }
  json::object info() const { return envelope().at("result_info").as_object(); }
  // "404 10009 get: 'key not found'"
  std::string error() const {
    const json::object whole = envelope();
    EXPECT_FALSE(whole.at("success").as_bool());
    EXPECT_TRUE(whole.at("result").is_null());
    EXPECT_EQ(headers.at("content-type"), "application/json");
    const json::object& first = whole.at("errors").as_array().at(0).as_object();
    return std::to_string(status) + " " + std::to_string(first.at("code").as_int64()) + " " +
           std::string(first.at("message").as_string());
  }
};

using Fields = std::vector<std::pair<std::string, std::string>>;

class RestFixture : public storage::StoreFixture {
 protected:
  static constexpr const char* kBase = "/client/v4/accounts/a1/storage/kv/namespaces";

  void SetUp() override {
    StoreFixture::SetUp();
    open();
    table_ = *access::AccessTable::open({access::token_file_in(dir_.path())}, clock_);
    operations_ =
        std::make_unique<operations::Operations>(*store_, table_.get(), registry_, limits_);
    start({});
  }
  void TearDown() override {
    stop();
    operations_.reset();
  }

  void start(RestOptions options) {
    options.access = table_.get();
    http::ServerOptions server;
    server.address = "127.0.0.1:0";
    server_ = std::make_unique<http::Server>(context_.get_executor(), std::move(server));
    rest_ = std::make_unique<RestApi>(
        context_.get_executor(), *operations_, clock_, std::move(options));
    rest_->add_routes(*server_);
    const Status listening = server_->listen();
    ASSERT_TRUE(listening.ok()) << listening.message();
    work_.emplace(context_.get_executor());
    context_.restart();
    thread_ = std::thread([this] { context_.run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    asio::co_spawn(context_, server_->drain(std::chrono::seconds(5)), asio::use_future).get();
    work_.reset();
    thread_.join();
    server_.reset();
    rest_.reset();
  }

  std::string ns_id() { return store_->list_namespaces().front().id; }
  // Below the first namespace: "/keys".
  std::string in_ns(const std::string& rest) { return kBase + ("/" + ns_id()) + rest; }
  std::string value_path(const std::string& key) { return in_ns("/values/" + key); }

  Answer request(const std::string& method,
                 const std::string& target,
                 const std::string& body = "",
                 const Fields& fields = {{"Authorization", "Bearer any"}}) {
    std::string head = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
    for (const auto& [name, value] : fields) head += name + ": " + value + "\r\n";
    if (!body.empty() || method == "PUT" || method == "POST") {
      head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    return exchange(head + "Connection: close\r\n\r\n" + body, method == "HEAD");
  }
  Answer get(const std::string& target) { return request("GET", target); }
  Answer put_value(const std::string& key,
                   const std::string& value,
                   const std::string& query = "") {
    return request("PUT", value_path(key) + query, value);
  }

  // Sends the bytes, and reads the answer up to the end of the connection.
  Answer exchange(const std::string& bytes, bool head = false) {
    const std::string address = server_->address();
    asio::io_context context;
    tcp::socket socket(context);
    socket.connect({asio::ip::make_address("127.0.0.1"),
                    static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))});
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
    std::string text;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(text), ended);
    return parse(text, head);
  }

  static Answer parse(const std::string& text, bool head) {
    Answer answer;
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) {
      ADD_FAILURE() << "no answer: " << text.substr(0, 200);
      return answer;
    }
    answer.status = std::stoi(text.substr(9, 3));
    answer.reason = text.substr(13, text.find("\r\n") - 13);
    for (std::size_t at = text.find("\r\n") + 2; at < end;) {
      const std::size_t line_end = text.find("\r\n", at);
      const std::size_t colon = text.find(": ", at);
      std::string name = text.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      answer.headers[name] = text.substr(colon + 2, line_end - colon - 2);
      at = line_end + 2;
    }
    std::string rest = text.substr(end + 4);
    if (answer.headers.contains("transfer-encoding")) {
      answer.body = dechunk(rest);
    } else {
      if (!head) {
        EXPECT_EQ(std::to_string(rest.size()), answer.headers["content-length"]);
      }
      answer.body = std::move(rest);
    }
    return answer;
  }

  static std::string dechunk(const std::string& text) {
    std::string body;
    for (std::size_t at = 0;;) {
      const std::size_t line = text.find("\r\n", at);
      if (line == std::string::npos) {
        ADD_FAILURE() << "the chunks end too early";
        return body;
      }
      const std::size_t bytes = std::stoul(text.substr(at, line - at), nullptr, 16);
      if (bytes == 0) return body;
      body += text.substr(line + 2, bytes);
      at = line + 2 + bytes + 2;
    }
  }

  MetricsRegistry registry_;
  std::unique_ptr<access::AccessTable> table_;
  operations::OperationsOptions limits_;  // as the test wants them, set before SetUp()
  std::unique_ptr<operations::Operations> operations_;
  asio::io_context context_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<RestApi> rest_;
  std::thread thread_;
};

}  // namespace edged::kv_http
