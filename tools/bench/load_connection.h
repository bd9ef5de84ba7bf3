// SPDX-License-Identifier: Apache-2.0
// A connection of the load generator: its socket, what is not sent yet, what arrived and is no
// whole answer yet, and its places, of which each has one operation under way. Not blocking. One
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/load_dialect.h"

namespace edged::bench {

struct Place {
  std::chrono::steady_clock::time_point start;
  Exchange exchange{};
};

class LoadConnection {
 public:
  enum class Sent { kAll, kBlocked, kGone };

  // Takes the socket, which is connected, greeted and not blocking.
  LoadConnection(int socket, std::size_t places);
  ~LoadConnection();
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  int socket() const { return socket_; }
  std::string& out() { return out_; }
  // kBlocked: the kernel takes no more now; call again when it does.
  Sent send();
  // False: the connection is gone.
  bool receive();
  // What arrived; drop() takes from its front.
  std::string_view arrived() const { return {in_.data() + begin_, end_ - begin_}; }
  void drop(std::size_t bytes) { begin_ += bytes; }

  bool has_free_place() const { return !free_.empty(); }
  bool all_free() const { return free_.size() == places_.size(); }
  std::uint32_t take_place();
  void free_place(std::uint32_t place) { free_.push_back(place); }
  Place& at(std::uint32_t place) { return places_[place]; }
  std::size_t place_count() const { return places_.size(); }

  Scan scan{};                      // of the answer at the front
  std::deque<std::uint32_t> order;  // places in the order sent, for protocols without ids
  bool blocked = false;

 private:
  const int socket_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  std::vector<char> in_;
  std::size_t begin_ = 0, end_ = 0;
  std::vector<Place> places_;
  std::vector<std::uint32_t> free_;
};

}  // namespace edged::bench
