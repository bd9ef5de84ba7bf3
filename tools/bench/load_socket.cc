// SPDX-License-Identifier: Apache-2.0
// Connecting and greeting, the blocking part of load_loop.h.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "tools/bench/load_loop.h"

namespace edged::bench {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

Result<int> connect_socket(int socket,
                           const sockaddr* peer,
                           socklen_t bytes,
                           const std::string& address) {
  if (socket < 0 || ::connect(socket, peer, bytes) != 0) {
    const std::string why = std::strerror(errno);
    if (socket >= 0) ::close(socket);
    return Status(Code::kUnavailable, "could not connect to \"" + address + "\": " + why);
  }
  return socket;
}

}  // namespace

Result<int> connect_to(const std::string& address) {
  if (address.starts_with(kUnixPrefix)) {
    const std::string path = address.substr(kUnixPrefix.size());
    sockaddr_un peer{};
    peer.sun_family = AF_UNIX;
    if (path.size() >= sizeof peer.sun_path) {
      return Status(Code::kInvalidArgument, "a unix socket's path has at most 107 bytes");
    }
    std::memcpy(peer.sun_path, path.data(), path.size());
    return connect_socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                          reinterpret_cast<const sockaddr*>(&peer),
                          sizeof peer,
                          address);
  }
  const std::size_t colon = address.rfind(':');
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  if (colon == std::string::npos ||
      ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) != 1) {
    return Status(Code::kInvalidArgument, "an address is unix:PATH or 127.0.0.1:PORT");
  }
  peer.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
  auto socket = connect_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                               reinterpret_cast<const sockaddr*>(&peer),
                               sizeof peer,
                               address);
  if (socket) {
    const int on = 1;
    ::setsockopt(*socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return socket;
}

Status greet(int socket, const Dialect& dialect) {
  const std::string greeting = dialect.greeting();
  std::vector<char> answer(dialect.greeting_answer_bytes());
  if (!greeting.empty() && ::send(socket, greeting.data(), greeting.size(), MSG_NOSIGNAL) !=
                               static_cast<ssize_t>(greeting.size())) {
    return {Code::kUnavailable, "could not greet the server"};
  }
  if (!answer.empty() && ::recv(socket, answer.data(), answer.size(), MSG_WAITALL) !=
                             static_cast<ssize_t>(answer.size())) {
    return {Code::kUnavailable, "the server did not answer the greeting"};
  }
  return {};
}

}  // namespace edged::bench
