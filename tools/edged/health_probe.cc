// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/health_probe.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/base/read_file.h"
#include "proto/http/host_port.h"
#include "proto/net/blocking_client.h"
#include "proto/net/spawn.h"

namespace edged {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr std::string_view kTls = "tls:";

// The whole answer; the server closes after it.
awaitable<Result<std::string>> fetch(std::string host, std::string port, std::string path) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  const auto [unresolved, addresses] = co_await resolver.async_resolve(host, port, kAwait);
  if (unresolved) co_return Status(Code::kUnavailable, unresolved.message());
  tcp::socket socket(executor);
  const auto [refused, endpoint] = co_await asio::async_connect(socket, addresses, kAwait);
  if (refused) co_return Status(Code::kUnavailable, refused.message());
  std::string request("GET ");
  request.append(path).append(" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const auto sending = asio::buffer(request);
  const auto [unsent, sent] = co_await asio::async_write(socket, sending, kAwait);
  if (unsent) co_return Status(Code::kUnavailable, unsent.message());
  std::string answer;
  auto into = asio::dynamic_buffer(answer, kAnswerBytesMax);
  const auto [ended, got] = co_await asio::async_read(socket, into, asio::transfer_all(), kAwait);
  if (ended && ended != asio::error::eof) co_return Status(Code::kUnavailable, ended.message());
  co_return answer;
}

// "HTTP/1.1 503 …\r\n…\r\n\r\nreason\n"
Status judge(const std::string& answer) {
  const std::size_t body = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || answer.size() < 12 || body == std::string::npos) {
    return {Code::kUnavailable, "does not speak HTTP"};
  }
  const std::string status = answer.substr(9, 3);
  if (status == "200") return {};
  std::string reason = answer.substr(body + 4);
  reason.resize(std::min(reason.find('\n'), reason.size()));
  return {Code::kUnavailable, "answers " + status + (reason.empty() ? "" : ": " + reason)};
}

// A text in a JSON object in a file; nothing if it is not there or empty.
std::optional<std::string> text_in(const std::string& path, std::string_view key) {
  const auto file = read_small_file(path, kAnswerBytesMax);
  if (!file) return std::nullopt;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(file->bytes, error);
  if (error || !value.is_object()) return std::nullopt;
  const boost::json::value* found = value.as_object().if_contains(key);
  if (found == nullptr || !found->is_string() || found->as_string().empty()) return std::nullopt;
  return std::string(found->as_string());
}

}  // namespace

Status ask_readiness(const std::string& address, std::chrono::milliseconds timeout) {
  const auto parts = http::split_host_port(address);
  if (!parts) return parts.error();
  asio::io_context io{1};
  std::optional<Result<std::string>> answer;
  net::spawn(io,
             fetch(parts->host, std::to_string(parts->port), "/readyz"),
             [&answer](Result<std::string> result) { answer = std::move(result); });
  io.run_for(timeout);
  if (!answer) return {Code::kDeadlineExceeded, "does not answer"};
  return *answer ? judge(**answer) : answer->error();
}

Status ask_node(const config::Config& config,
                std::chrono::milliseconds timeout,
                std::string& asked) {
  asked = text_in(config.node.data_dir + "/ports.json", "http").value_or(config.node.http);
  if (!asked.starts_with(kTls)) return ask_readiness(asked, timeout);
  net::ClientOptions options;
  options.address = asked = "unix:" + config.unix_path();
  options.connect_timeout = options.call_timeout = timeout;
  return net::BlockingClient(options).ping();
}

Status ask_worker(const config::Config& config,
                  std::chrono::milliseconds timeout,
                  std::string& asked) {
  const auto used = text_in(config.worker.state_dir + "/worker-ports.json", "worker_http");
  asked = used.value_or(config.worker.http);
  return ask_readiness(asked, timeout);
}

}  // namespace edged
