// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/peer_probe.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "proto/net/blocking_client.h"
#include "proto/net/tls.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"

namespace edged::kvctl {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr timeval kPatience{1, 0};
constexpr unsigned char kTlsAlert = 21, kTlsHandshake = 22;

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// Connected, or the error number of the last attempt.
struct Opened {
  Socket socket{-1};
  int error = 0;
};

Opened open_socket(int family, const sockaddr* address, socklen_t length) {
  Opened opened{Socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  const int descriptor = opened.socket.get();
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (::connect(descriptor, address, length) != 0) opened.error = errno;
  return opened;
}

Opened open_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return open_socket(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

Opened open_host_port(const std::string& host_port) {
  const std::size_t colon = host_port.rfind(':');
  std::string host = host_port.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  Opened opened;
  opened.error = EADDRNOTAVAIL;
  if (::getaddrinfo(host.c_str(), host_port.substr(colon + 1).c_str(), &hints, &found) != 0) {
    return opened;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Opened next = open_socket(one->ai_family, one->ai_addr, one->ai_addrlen);
    if (next.error == 0) return next;
    opened.error = next.error;
  }
  return opened;
}

Opened open_address(const std::string& address) {
  if (address.starts_with(kUnix)) return open_path(address.substr(kUnix.size()));
  return open_host_port(net::split_transport(address).host_port);
}

// What came back, at most `size` bytes of it; `silent` if nothing did within a second.
std::string exchange(const Socket& socket, std::string_view request, bool& silent) {
  silent = false;
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
  char answer[wire::kHelloBytes];
  const ssize_t count = ::recv(socket.get(), answer, sizeof answer, 0);
  silent = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return std::string(answer, count > 0 ? static_cast<std::size_t>(count) : 0);
}

bool is_http(const std::string& answer) {
  return answer.starts_with("HTTP");
}

bool is_tls(const std::string& answer) {
  if (answer.size() < 2) return false;
  const auto type = static_cast<unsigned char>(answer[0]);
  return (type == kTlsAlert || type == kTlsHandshake) && answer[1] == 3;
}

bool speaks_http(const std::string& address) {
  const Opened opened = open_address(address);
  bool silent = false;
  return opened.error == 0 &&
         is_http(exchange(opened.socket, "GET /healthz HTTP/1.0\r\n\r\n", silent));
}

// A node that speaks TLS closes a plain connection without a word. Whether it would be trusted does
// not matter here.
bool speaks_tls(const std::string& address) {
  if (address.starts_with(kUnix)) return false;
  net::ClientOptions options;
  options.address = "tls:" + address;
  const Status answer = net::BlockingClient(options).ping();
  return answer.ok() || answer.code() == Code::kUnauthenticated ||
         answer.message().find("certificate is refused") != std::string::npos;
}

Status not_connected(const std::string& address, int error) {
  if (error == EACCES || error == EPERM) {
    return {Code::kDenied,
            "permission denied on the socket. Run kvctl as root or as the node's user, or use the "
            "node's TCP address with --addr"};
  }
  if (error == ECONNREFUSED && address.starts_with(kUnix)) {
    return {Code::kUnavailable,
            "connection refused: the socket is there, but no node listens on it"};
  }
  if (error == ECONNREFUSED)
    return {Code::kUnavailable, "connection refused: nothing listens there"};
  if (error == EAGAIN || error == EINPROGRESS || error == ETIMEDOUT) {
    return {Code::kUnavailable, "the connection timed out"};
  }
  if (error == ENOENT) return {Code::kUnavailable, "no such socket"};
  if (error == EADDRNOTAVAIL) return {Code::kUnavailable, "the host name cannot be resolved"};
  return {Code::kUnavailable, std::strerror(error)};
}

}  // namespace

std::optional<Status> find_reason(const std::string& address) {
  const Opened opened = open_address(address);
  if (opened.error != 0) return not_connected(address, opened.error);
  const bool wants_tls = net::split_transport(address).tls;
  std::string hello;
  wire::append_hello({}, hello);
  bool silent = false;
  const std::string answer = exchange(opened.socket, hello, silent);
  if (answer.size() == wire::kHelloBytes && wire::decode_hello(answer)) {
    if (!wants_tls) return std::nullopt;
    return Status(Code::kUnsupported,
                  "the node speaks no TLS there. Leave out \"tls:\" before the address");
  }
  if (wants_tls && (is_tls(answer) || answer.empty())) return std::nullopt;
  if (is_tls(answer) || (answer.empty() && !silent && speaks_tls(address))) {
    return Status(Code::kUnsupported, "TLS is spoken there. Write \"tls:\" before the address");
  }
  if (is_http(answer) || speaks_http(address)) {
    return Status(Code::kUnsupported,
                  "an HTTP server answers there, not the binary protocol. Use an address of "
                  "node.listen (by default 127.0.0.1:4780), not node.http");
  }
  if (silent) {
    return Status(Code::kDeadlineExceeded,
                  "the connection was accepted, but no answer came within a second. The node is "
                  "overloaded, or another program listens there");
  }
  if (answer.empty()) {
    return Status(
        Code::kBusy,
        "the connection was closed at once. The node has reached its connection limit, or it is "
        "stopping; its log says which");
  }
  return Status(Code::kUnsupported,
                "another program answers there, not a node's binary protocol. Use an address of "
                "node.listen");
}

}  // namespace edged::kvctl
