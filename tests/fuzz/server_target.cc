// SPDX-License-Identifier: Apache-2.0
// A server in this process, on a store in memory and a unix socket. A client sends its bytes and
// half-closes; the server must answer with whole frames, close, and go on serving another client.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "kvstore/server/server.h"
#include "proto/base/check.h"
#include "proto/wire/message.h"
#include "tests/fuzz/targets.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"

namespace edged::fuzz {
namespace {

using wire::FrameReader;

constexpr std::size_t kInputBytesMax = 64 * 1024;  // fits a socket's buffer
constexpr int kInputsPerServer = 5000;             // then all that was stored goes with it
constexpr int kInputsPerPing = 16;

class Socket {
 public:
  explicit Socket(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un peer{};
    peer.sun_family = AF_UNIX;
    KV_CHECK(path.size() < sizeof peer.sun_path);
    std::memcpy(peer.sun_path, path.data(), path.size());
    const timeval limit{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    KV_CHECK(::connect(socket_, reinterpret_cast<sockaddr*>(&peer), sizeof peer) == 0);
  }
  ~Socket() { ::close(socket_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // The server may have closed already.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;  // libFuzzer's timer
      if (sent < 0) {
        KV_CHECK(errno == EPIPE || errno == ECONNRESET);
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }

  // Up to `count` bytes, or fewer at the end of the stream; a server that does neither is broken.
  std::string receive(std::size_t count) {
    std::string bytes;
    char chunk[16 * 1024];
    while (bytes.size() < count) {
      const ssize_t got = ::recv(socket_, chunk, std::min(sizeof chunk, count - bytes.size()), 0);
      if (got < 0 && errno == EINTR) continue;
      KV_CHECK(got >= 0 || errno == ECONNRESET);
      if (got <= 0) break;
      bytes.append(chunk, static_cast<std::size_t>(got));
    }
    return bytes;
  }

 private:
  int socket_;
};

std::string hello() {
  std::string bytes;
  wire::append_hello({}, bytes);
  return bytes;
}

class Node {
 public:
  Node() {
    KV_CHECK(store_.create_namespace("default", std::string(32, 'a')).has_value());
    server::ServerOptions options;
    options.unix_path = directory_.path() + "/kv.sock";
    options.io_threads = 1;
    options.storage_threads = 1;
    server_ = std::make_unique<server::Server>(options, store_, clock_, registry_);
    KV_CHECK(server_->start().ok());
    other_ = std::make_unique<Socket>(server_->unix_path());
    other_->send(hello());
    KV_CHECK(other_->receive(wire::kHelloBytes).size() == wire::kHelloBytes);
  }

  std::string path() const { return server_->unix_path(); }

  void ping() {
    wire::Request request;
    request.id = 7;
    std::string frame;
    wire::append_request(request, frame);
    other_->send(frame);
    const std::string header = other_->receive(wire::kHeaderBytes);
    KV_CHECK(header.size() == wire::kHeaderBytes);
    const auto decoded = wire::decode_header(header);
    KV_CHECK(decoded && decoded->id == 7 && decoded->key_bytes == 0);
    KV_CHECK(other_->receive(decoded->body_bytes).size() == decoded->body_bytes);
  }

 private:
  test::TempDir directory_;
  SystemClock clock_;
  MetricsRegistry registry_;
  test::MemoryStore store_{clock_};
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<Socket> other_;  // before the server: it would be waited for
};

// How many frames a client's stream has, the refused one at its end included.
std::size_t frames_in(std::string_view stream) {
  FrameReader reader(FrameReader::Peer::kClient, wire::kBodyBytesMax);
  reader.feed(stream);
  for (std::size_t count = 0;; ++count) {
    const auto event = reader.next();
    if (event == FrameReader::Event::kNeedMore) return count;
    if (event == FrameReader::Event::kBroken) return count + 1;
  }
}

// Whole responses and pushes, and no more final responses than there were requests.
void judge_answer(std::string_view answer, std::size_t requests) {
  if (answer.empty()) return;  // the hello was refused
  KV_CHECK(answer.size() >= wire::kHelloBytes);
  KV_CHECK(wire::decode_hello(answer.substr(0, wire::kHelloBytes)) ||
           answer[4] == 0);  // no version in common
  FrameReader reader(FrameReader::Peer::kServer, wire::kBodyBytesMax);
  reader.feed(answer.substr(wire::kHelloBytes));
  std::size_t responses = 0;
  auto event = reader.next();
  for (; event == FrameReader::Event::kFrame; event = reader.next()) {
    const auto response = wire::decode_response(reader.frame());
    KV_CHECK(response.has_value());
    const bool push = reader.frame().header.kind == wire::Kind::kPush;
    responses += push || (response->flags & wire::kFlagMore) != 0 ? 0 : 1;
  }
  KV_CHECK(event == FrameReader::Event::kNeedMore && !reader.in_frame());
  KV_CHECK(responses <= requests);
}

}  // namespace

void fuzz_server(std::string_view bytes) {
  static std::unique_ptr<Node> node;
  static int inputs = 0;
  if (bytes.empty()) return;
  if (inputs++ % kInputsPerServer == 0) {
    node.reset();
    node = std::make_unique<Node>();
  }
  const bool raw = (static_cast<unsigned char>(bytes[0]) & 1) != 0;
  const std::string stream = (raw ? "" : hello()) + std::string(bytes.substr(1, kInputBytesMax));
  Socket client(node->path());
  client.send(stream);
  client.end_sending();
  const std::string answer = client.receive(std::string::npos);
  const std::size_t hello_bytes = std::min(stream.size(), wire::kHelloBytes);
  judge_answer(answer, frames_in(std::string_view(stream).substr(hello_bytes)));
  if (inputs % kInputsPerPing == 0) node->ping();
}

}  // namespace edged::fuzz
