// SPDX-License-Identifier: Apache-2.0
// The connections whose peers have not shown a token yet, on a node that wants one. They may take
// only a part of all connections, so that clients with a token always find room: when there are too
// many, the oldest of the address that has the most is ended. Any thread.
// Source: docs/security.md, "Before AUTH".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace edged::server {

class Strangers {
 public:
  explicit Strangers(std::size_t connections_max) : connections_max_(connections_max) {}

  // Adds a connection from `address`, whose `end` closes it and may be called from any thread,
  // once, and after it was closed. Ends another one if there are too many now. The number is for
  // remove().
  std::uint64_t add(const std::string& address, std::function<void()> end);
  // Its peer has shown a token, or it is closed.
  void remove(std::uint64_t number);
  // Ends one to make room for another connection. False: there is none.
  bool end_one();

 private:
  using ByAge = std::map<std::uint64_t, std::function<void()>>;

  // The end of the one that has to go, taken out; empty: there is none. With mutex_.
  std::function<void()> take_victim();

  const std::size_t connections_max_;
  std::mutex mutex_;  // guards what follows
  std::uint64_t next_number_ = 1;
  std::map<std::string, ByAge> by_address_;
  std::map<std::uint64_t, std::string> addresses_;  // by number
};

}  // namespace edged::server
