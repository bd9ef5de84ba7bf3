// SPDX-License-Identifier: Apache-2.0
// proto/http: a server in this process, on loopback. A client sends its bytes and half-closes; the
// server must answer with whole responses only, close, and go on serving its health page.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "proto/base/check.h"
#include "proto/http/server.h"
#include "tests/fuzz/targets.h"

namespace edged::fuzz {
namespace {

constexpr std::size_t kInputBytesMax = 64 * 1024;  // fits a socket's buffer
constexpr int kInputsPerProbe = 16;

boost::asio::awaitable<http::Response> echo(http::Request request) {
  KV_CHECK(!request.path.empty() && request.path.front() == '/');
  http::Response response;
  response.body = request.method + " " + request.path + " " + std::to_string(request.body.size());
  for (const auto& [name, value] : request.query) response.body += "?" + name + "=" + value;
  co_return response;
}

// Reads the body piece by piece, and answers in pieces.
boost::asio::awaitable<void> echo_pieces(http::Exchange& exchange) {
  std::string body;
  Result<std::string> piece = co_await exchange.read_body(7);
  while (piece && !piece->empty()) {
    KV_CHECK(piece->size() <= 7);
    body.append(*piece);
    piece = co_await exchange.read_body(7);
  }
  KV_CHECK(body.size() <= 4096);
  http::ResponseHead head;
  head.status = piece ? 200 : 400;
  head.reason = body;
  Status done = co_await exchange.begin(std::move(head), std::nullopt);
  while (done.ok() && !body.empty()) {
    done = co_await exchange.write(std::string_view(body).substr(0, 100));
    body.erase(0, 100);
  }
  if (done.ok()) (void)co_await exchange.end();
}

class Server {
 public:
  Server() : server_(io_.get_executor(), {.address = "127.0.0.1:0", .body_bytes_max = 4096}) {
    server_.route("GET", "/healthz", echo);
    server_.add_health_path("/healthz");
    server_.route("GET", "/below/", echo);
    server_.route("POST", "/cron/", echo);
    server_.route("PUT", "/item", echo);
    server_.route_raw("/raw/", echo_pieces, {.body_bytes_max = 4096, .discard_bytes_max = 8192});
    KV_CHECK(server_.listen().ok());
    const std::string address = server_.address();
    port_ = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Server() {
    io_.stop();
    thread_.join();
  }

  // What the server sends until it closes.
  std::string answer_to(std::string_view bytes) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(port_);
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{60, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    KV_CHECK(::connect(socket, reinterpret_cast<sockaddr*>(&peer), sizeof peer) == 0);
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;  // libFuzzer's timer
      if (sent < 0) break;                       // the server has closed already
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(socket, SHUT_WR);
    std::string answer;
    char chunk[16 * 1024];
    for (;;) {
      const ssize_t got = ::recv(socket, chunk, sizeof chunk, 0);
      if (got < 0 && errno == EINTR) continue;
      KV_CHECK(got >= 0 || errno == ECONNRESET);  // neither an answer nor an end: broken
      if (got <= 0) break;
      answer.append(chunk, static_cast<std::size_t>(got));
    }
    ::close(socket);
    return answer;
  }

 private:
  boost::asio::io_context io_{1};
  http::Server server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

void fuzz_http(std::string_view bytes) {
  static Server server;
  static int inputs = 0;
  const std::string answer = server.answer_to(bytes.substr(0, kInputBytesMax));
  KV_CHECK(answer.empty() || answer.starts_with("HTTP/1."));
  KV_CHECK(answer.empty() || answer.find("\r\n\r\n") != std::string::npos);
  if (++inputs % kInputsPerProbe != 0) return;
  const std::string health = server.answer_to("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  KV_CHECK(health.starts_with("HTTP/1.1 200 "));
}

std::vector<std::string> http_seeds() {
  const std::string host = "Host: 127.0.0.1\r\n";
  const std::string get = "GET /below/a%20b?x=%41&y HTTP/1.1\r\n" + host + "\r\n";
  const std::string post = "POST /cron/class-monitor?wait=1 HTTP/1.1\r\n" + host +
                           "Authorization: Bearer x\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked = "PUT /item HTTP/1.1\r\n" + host +
                              "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n";
  std::string raw = chunked;
  raw.replace(raw.find("/item"), 5, "/raw/[%zz");
  return {get,
          post,
          chunked,
          raw,
          post + raw + get,
          get + post + chunked + get,
          "HEAD /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\n" + host + "Origin: http://evil.example\r\n\r\n",
          "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
          "GET / HTTP/1.1\r\n" + host + "A: " + std::string(9000, 'a') + "\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
          ""};
}

}  // namespace edged::fuzz
