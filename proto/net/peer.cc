// SPDX-License-Identifier: Apache-2.0
#include "proto/net/peer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "proto/base/hex.h"

namespace edged::net {

bool is_own_peer(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
    return false;
  }
  ucred peer{};
  size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

std::string peer_address(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return "unknown";
  if (peer.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(peer);
    return "ip4 " + to_hex({reinterpret_cast<const char*>(&ip.sin_addr), sizeof ip.sin_addr});
  }
  if (peer.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(peer);
    const std::string_view bytes(reinterpret_cast<const char*>(&ip.sin6_addr), 16);
    return IN6_IS_ADDR_V4MAPPED(&ip.sin6_addr) ? "ip4 " + to_hex(bytes.substr(12))
                                               : "ip6 " + to_hex(bytes.substr(0, 8));
  }
  ucred user{};
  size = sizeof user;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0) return "unknown";
  return "uid " + std::to_string(user.uid);
}

}  // namespace edged::net
