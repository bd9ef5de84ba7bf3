// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/child_reports.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "proto/base/log.h"

namespace edged {
namespace {

// A start is noticed this fast. No signal says that a datagram has come.
constexpr std::chrono::milliseconds kPoll{100};
constexpr std::chrono::hours kNever{1};
constexpr std::size_t kReportBytesMax = 1024;

bool has_line(std::string_view text, std::string_view line) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (text.substr(0, end) == line) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

// The process that sent it, as the kernel says; 0: unknown.
pid_t sender_of(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
    return sender.pid;
  }
  return 0;
}

}  // namespace

ChildReports::ChildReports(ServiceManager* manager, std::size_t children)
    : manager_(manager), children_(children) {
  if (manager_ != nullptr && manager_->present()) listen();
}

ChildReports::~ChildReports() {
  if (socket_ >= 0) ::close(socket_);
}

// An abstract socket whose name the kernel chooses.
void ChildReports::listen() {
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof address.sun_family;
  const int on = 1;
  bool made = socket_ >= 0 && ::setsockopt(socket_, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
              ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
  size = sizeof address;
  made = made && ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!made) {
    log::error(std::string("could not make a socket for the reports of the child processes: ") +
               std::strerror(errno));
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    return;
  }
  const std::size_t name_size = size - offsetof(sockaddr_un, sun_path);
  std::string name("@");
  if (name_size > 1) name.append(address.sun_path + 1, name_size - 1);
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  if (manager_->watchdog().count() > 0) {
    ::setenv("WATCHDOG_USEC", std::to_string(manager_->watchdog().count()).c_str(), 1);
  }
}

void ChildReports::started(pid_t child) {
  states_[child] = {};
}

void ChildReports::ended(pid_t child) {
  states_.erase(child);
}

void ChildReports::reloading() {
  if (socket_ < 0 || !told_ready_ || stopping_) return;
  manager_->reloading();
  told_ready_ = false;
  for (auto& [pid, state] : states_) state.ready = false;
}

void ChildReports::stopping() {
  if (socket_ < 0 || stopping_) return;
  stopping_ = true;
  manager_->stopping();
}

void ChildReports::receive(Clock::time_point now) {
  std::array<char, kReportBytesMax> bytes{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  while (true) {
    iovec place{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    const auto child = states_.find(sender_of(message));
    if (child == states_.end()) continue;  // somebody else's
    const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
    State& state = child->second;
    state.alive = now;
    if (has_line(text, "READY=1")) state.ready = state.watched = true;
  }
}

bool ChildReports::all_ready() const {
  return states_.size() == children_ &&
         std::all_of(states_.begin(), states_.end(), [](auto& one) { return one.second.ready; });
}

bool ChildReports::all_alive(Clock::time_point now) const {
  return std::all_of(states_.begin(), states_.end(), [&](auto& one) {
    return !one.second.watched || now - one.second.alive < manager_->watchdog();
  });
}

ChildReports::Clock::duration ChildReports::relay(Clock::time_point now) {
  if (socket_ < 0) return kNever;
  receive(now);
  if (!told_ready_ && !stopping_ && all_ready()) {
    manager_->ready();
    told_ready_ = true;
  }
  const std::chrono::microseconds watchdog = manager_->watchdog();
  if (watchdog.count() > 0 && now - told_alive_ >= watchdog / 4 && all_alive(now)) {
    manager_->alive();
    told_alive_ = now;
  }
  if (!told_ready_) return kPoll;
  return watchdog.count() > 0 ? Clock::duration(watchdog / 4) : Clock::duration(kNever);
}

}  // namespace edged
