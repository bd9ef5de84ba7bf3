// SPDX-License-Identifier: Apache-2.0
// Tells the sockets of one io_context when they can be read or written: an epoll instance that is
// itself one descriptor of Asio's. All sockets that are ready are told in one batch, and a socket
// that was read to its end is not read again before something new has arrived; Asio always tries
// first, which costs a receive that finds nothing for each request. Edge-triggered (epoll(7)):
// who is told must remember it until a read or write would block. The io_context's thread only.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "proto/base/status.h"

namespace edged::net {

class Poller {
 public:
  class Watcher {
   public:
    // `events` are EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR of epoll(7); 0 after later().
    // It may remove and destroy any watcher, itself too.
    virtual void on_ready(std::uint32_t events) = 0;

   protected:
    ~Watcher() = default;
  };

  explicit Poller(boost::asio::io_context& io) : io_(io), descriptor_(io) {}
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Once, before anything else. Errors: kUnavailable (no descriptors left).
  Status open();
  // Nobody is told any more, and the io_context is no longer kept running by this.
  void close();

  // Tells `watcher` when `fd` becomes readable, until remove(). False: the kernel has no room.
  bool add(int fd, Watcher& watcher);
  // Whether to tell also when it becomes writable: for who has met a full buffer.
  void watch_writing(int fd, Watcher& watcher, bool watch);
  // Before `fd` is closed.
  void remove(int fd, const Watcher& watcher);

  // Calls on_ready(0) behind what is ready now: for who could go on but has had its share.
  void later(Watcher& watcher);

  // Within a batch: calls `end` once, behind the last one that is told. False: this is no batch.
  bool at_end_of_batch(std::function<void()> end);

 private:
  static constexpr std::size_t kBatchMax = 128;

  void wait();
  void tell_ready();
  void tell_later();
  void run_ends();

  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor descriptor_;
  std::array<epoll_event, kBatchMax> events_{};  // a null pointer: removed since
  std::size_t event_count_ = 0;                  // of the batch that is being told
  bool in_batch_ = false;
  std::vector<Watcher*> later_, told_later_;  // null: removed since
  std::vector<std::function<void()>> ends_;
};

}  // namespace edged::net
