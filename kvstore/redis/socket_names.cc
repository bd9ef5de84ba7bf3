// SPDX-License-Identifier: Apache-2.0
// See socket_names.h.
#include "kvstore/redis/socket_names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>

namespace edged::redis {
namespace {

std::string with_port(std::string host, std::uint16_t port) {
  host += ':';
  host += std::to_string(ntohs(port));
  return host;
}

}  // namespace

std::string socket_name(int socket, bool of_peer) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if ((of_peer ? ::getpeername : ::getsockname)(socket, generic, &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
    return with_port(text.data(), ip.sin_port);
  }
  if (address.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
    std::string host = "[";
    host.append(text.data()).append("]");
    return with_port(std::move(host), ip.sin6_port);
  }
  if (address.ss_family != AF_UNIX) return {};
  // The peer's end has no name: it is called by ours, as Redis does.
  if (of_peer) return socket_name(socket, false);
  const auto& path = reinterpret_cast<const sockaddr_un&>(address);
  const std::size_t named = size > offsetof(sockaddr_un, sun_path) ? 1 : 0;
  return std::string(named != 0 ? path.sun_path : "").append(":0");
}

}  // namespace edged::redis
