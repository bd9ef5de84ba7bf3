// SPDX-License-Identifier: Apache-2.0
// See poller.h.
#include "proto/net/poller.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "proto/base/check.h"

namespace edged::net {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP | EPOLLET;

epoll_event event_of(std::uint32_t events, Poller::Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return event;
}

}  // namespace

Status Poller::open() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    return {Code::kUnavailable,
            std::string("could not watch connections: epoll_create1: ") + std::strerror(errno)};
  }
  descriptor_.assign(fd);
  wait();
  return {};
}

void Poller::close() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

bool Poller::add(int fd, Watcher& watcher) {
  epoll_event event = event_of(kReading, watcher);
  return ::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::watch_writing(int fd, Watcher& watcher, bool watch) {
  if (!descriptor_.is_open()) return;
  epoll_event event = event_of(watch ? kReading | EPOLLOUT : kReading, watcher);
  // Without memory it needs none: the descriptor is there.
  KV_CHECK(::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Poller::remove(int fd, const Watcher& watcher) {
  if (descriptor_.is_open()) {
    ::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
  }
  for (std::size_t i = 0; i < event_count_; ++i) {
    if (events_[i].data.ptr == &watcher) events_[i].data.ptr = nullptr;
  }
  std::replace(later_.begin(), later_.end(), const_cast<Watcher*>(&watcher), (Watcher*){nullptr});
  std::replace(
      told_later_.begin(), told_later_.end(), const_cast<Watcher*>(&watcher), (Watcher*){nullptr});
}

void Poller::later(Watcher& watcher) {
  later_.push_back(&watcher);
  if (later_.size() == 1) asio::post(io_, [this] { tell_later(); });
}

bool Poller::at_end_of_batch(std::function<void()> end) {
  if (in_batch_) ends_.push_back(std::move(end));
  return in_batch_;
}

void Poller::wait() {
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read,
                         [this](boost::system::error_code error) {
                           if (error || !descriptor_.is_open()) return;
                           tell_ready();
                           if (descriptor_.is_open()) wait();
                         });
}

void Poller::tell_ready() {
  const int count = ::epoll_wait(descriptor_.native_handle(), events_.data(), kBatchMax, 0);
  event_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  in_batch_ = true;
  for (std::size_t i = 0; i < event_count_; ++i) {
    auto* const watcher = static_cast<Watcher*>(events_[i].data.ptr);
    if (watcher != nullptr) watcher->on_ready(events_[i].events);
  }
  event_count_ = 0;
  run_ends();
}

void Poller::tell_later() {
  told_later_.swap(later_);
  in_batch_ = true;
  for (std::size_t i = 0; i < told_later_.size(); ++i) {
    if (told_later_[i] != nullptr) told_later_[i]->on_ready(0);
  }
  told_later_.clear();
  run_ends();
}

void Poller::run_ends() {
  in_batch_ = false;
  const std::vector<std::function<void()>> ends = std::exchange(ends_, {});
  for (const auto& end : ends) end();
}

}  // namespace edged::net
