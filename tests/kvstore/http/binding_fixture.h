// SPDX-License-Identifier: Apache-2.0
// The binding face on a real store, its server on a thread of its own, and a client that sends the
// requests that workerd sends.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kvstore/access/access_table.h"
#include "kvstore/access/token_file.h"
#include "kvstore/http/binding_face.h"
#include "proto/base/metrics.h"
#include "proto/http/request.h"
#include "tests/kvstore/store_fixture.h"
#include "tests/proto/http/server_fixture.h"

namespace edged::kv_http {

namespace asio = boost::asio;
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  std::string status;                          // "200 OK"
  std::map<std::string, std::string> headers;  // names as they came
  std::string body;                            // chunks joined
};

// Of one answer, with which the connection ended.
inline Answer parse_answer(std::string bytes) {
  Answer answer;
  const std::size_t end = bytes.find("\r\n\r\n");
  if (!bytes.starts_with("HTTP/1.1 ") || end == std::string::npos) return answer;
  std::size_t at = bytes.find("\r\n");
  answer.status = bytes.substr(9, at - 9);
  for (at += 2; at < end; at = bytes.find("\r\n", at) + 2) {
    const std::size_t colon = bytes.find(": ", at);
    const std::size_t line_end = bytes.find("\r\n", at);
    answer.headers[bytes.substr(at, colon - at)] = bytes.substr(colon + 2, line_end - colon - 2);
  }
  answer.body = bytes.substr(end + 4);
  if (!answer.headers.contains("Transfer-Encoding")) return answer;
  std::string joined;
  for (at = end + 4; at < bytes.size();) {
    const std::size_t size = std::stoul(bytes.substr(at), nullptr, 16);
    at = bytes.find("\r\n", at) + 2;
    joined += bytes.substr(at, size);
    at += size + 2;
  }
  answer.body = joined;
  return answer;
}

class BindingFixture : public storage::StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
    id_ = store_->list_namespaces().front().id;
    table_ = *access::AccessTable::open({access::token_file_in(dir_.path())}, clock_);
    operations_ =
        std::make_unique<operations::Operations>(*store_, table_.get(), registry_, limits_);
    server_.address = "127.0.0.1:0";
    server_.hosts = {"kv.example.org"};
    start();
  }
  void TearDown() override {
    stop();
    operations_.reset();
  }

  void start() {
    context_.restart();
    face_ = std::make_unique<BindingFace>(
        context_.get_executor(), server_, *operations_, clock_, storage::Durability::kWal);
    const Status listening = face_->listen();
    ASSERT_TRUE(listening.ok()) << listening.message();
    address_ = face_->address();
    thread_ = std::thread([this] { context_.run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    asio::co_spawn(context_, face_->drain(std::chrono::seconds(5)), asio::use_future).get();
    context_.stop();
    thread_.join();
    face_.reset();
  }

  // The namespace "default", unless `fields` name a host or a namespace.
  Answer ask(const std::string& method,
             const std::string& target,
             const std::string& body = "",
             const Fields& fields = {}) {
    return send(head(method, target, fields) + "Content-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
  }
  Answer send(const std::string& bytes) {
    http::RawClient client(address_);
    client.send(bytes);
    return parse_answer(client.rest());
  }
  std::string head(const std::string& method, const std::string& target, const Fields& fields) {
    std::string text = method + " " + target + " HTTP/1.1\r\nConnection: close\r\n";
    std::string host = "fake-host", ns = id_;
    for (const auto& [name, value] : fields) {
      if (name == "Host") {
        host = value;
        ns.clear();
      } else if (name == "X-KV-Namespace") {
        ns = value;
      } else {
        text += name + ": " + value + "\r\n";
      }
    }
    text += "Host: " + host + "\r\n";
    if (!ns.empty()) text += "X-KV-Namespace: " + ns + "\r\n";
    return text + "CF-KV-FLPROD-405: http://fake-host" + target + "\r\n";
  }

  Answer put(const std::string& key, const std::string& value, const Fields& fields = {}) {
    return ask("PUT", "/" + key + "?urlencoded=true", value, fields);
  }
  Answer get(const std::string& key, const Fields& fields = {}) {
    return ask("GET", "/" + key + "?urlencoded=true", "", fields);
  }
  static Fields bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }
  access::NewToken make_token(const std::string& scopes, std::vector<std::string> namespaces = {}) {
    access::Grant grant;
    grant.name = "token " + std::to_string(++names_);
    grant.scopes = *access::parse_scopes(scopes);
    grant.namespaces = std::move(namespaces);
    return *table_->create(grant);
  }

  std::string id_;
  std::unique_ptr<access::AccessTable> table_;
  MetricsRegistry registry_;
  operations::OperationsOptions limits_;  // as the test wants them, set before SetUp()
  std::unique_ptr<operations::Operations> operations_;
  asio::io_context context_{1};
  http::ServerOptions server_;
  std::unique_ptr<BindingFace> face_;
  std::string address_;
  std::thread thread_;
  int names_ = 0;
};

}  // namespace edged::kv_http
