// SPDX-License-Identifier: Apache-2.0
// Who goes on next on a reactor, of those who have had their share. A connection that used up its
// time, or whose peer sends faster than it is read, waits here; one at a time goes on, and between
// two the reactor looks whether others, who ask for little, are ready. So these wait for one share
// of one connection, however many there are that ask without end. The reactor's thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <utility>

namespace edged::server {

class Turns {
 public:
  // What one connection may do before others get their turn. About what 16 pipelined GETs cost, so
  // that a client which pipelines moderately never waits here.
  static constexpr std::chrono::microseconds kShare{50};

  explicit Turns(boost::asio::io_context& io) : io_(io) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // `go_on` runs once, later.
  void wait(std::function<void()> go_on) {
    waiting_.push_back(std::move(go_on));
    if (waiting_.size() == 1) post();
  }

 private:
  // Behind what is ready: the next is posted when this one is done, not all at once.
  void post() {
    boost::asio::post(io_, [this] {
      const std::function<void()> go_on = std::move(waiting_.front());
      go_on();
      waiting_.pop_front();
      if (!waiting_.empty()) post();
    });
  }

  boost::asio::io_context& io_;
  std::deque<std::function<void()>> waiting_;  // the first one is posted or running
};

}  // namespace edged::server
