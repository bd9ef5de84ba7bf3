// SPDX-License-Identifier: Apache-2.0
#include "proto/base/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "proto/base/log.h"
#include "proto/base/numbers.h"

namespace edged {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

// "/run/systemd/notify" or "@name". Fails if it is neither, or does not fit.
bool fill_address(const std::string& text, sockaddr_un& address, socklen_t& size) {
  if (text.size() < 2 || text.size() >= sizeof address.sun_path) return false;
  if (text.front() != '/' && text.front() != '@') return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, text.data(), text.size());
  if (text.front() == '@') address.sun_path[0] = '\0';
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size());
  return true;
}

std::string monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(now.tv_sec * 1'000'000LL + now.tv_nsec / 1'000);
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
  std::string address = take_variable("NOTIFY_SOCKET");
  const auto microseconds = parse_int64(take_variable("WATCHDOG_USEC"));
  const std::string pid = take_variable("WATCHDOG_PID");
  const bool ours = pid.empty() || pid == std::to_string(::getpid());
  const bool watched = microseconds && *microseconds > 0 && ours;
  return ServiceManager(std::move(address), std::chrono::microseconds(watched ? *microseconds : 0));
}

ServiceManager::ServiceManager(std::string address, std::chrono::microseconds watchdog)
    : address_(std::move(address)), watchdog_(watchdog) {
  if (address_.empty()) {
    watchdog_ = std::chrono::microseconds(0);
    return;
  }
  sockaddr_un target{};
  socklen_t size = 0;
  if (!fill_address(address_, target, size)) {
    log::warn("NOTIFY_SOCKET is no path and no abstract name: the service manager is told nothing");
    return;
  }
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0) {
    log::warn(std::string("could not make a socket to the service manager: ") +
              std::strerror(errno));
  }
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) ::close(socket_);
}

void ServiceManager::ready() {
  send("READY=1\n");
}

void ServiceManager::reloading() {
  send("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds() + "\n");
}

void ServiceManager::stopping() {
  send("STOPPING=1\n");
}

void ServiceManager::alive() {
  send("WATCHDOG=1\n");
}

// Not connected: the service manager may be restarted, which makes a new socket at the address.
void ServiceManager::send(std::string_view message) {
  if (socket_ < 0) return;
  sockaddr_un target{};
  socklen_t size = 0;
  if (!fill_address(address_, target, size)) return;
  const auto* address = reinterpret_cast<const sockaddr*>(&target);
  const ssize_t sent =
      ::sendto(socket_, message.data(), message.size(), MSG_NOSIGNAL, address, size);
  if (sent >= 0 || told_.exchange(true)) return;
  log::warn(std::string("could not tell the service manager: ") + std::strerror(errno));
}

}  // namespace edged
