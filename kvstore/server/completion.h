// SPDX-License-Identifier: Apache-2.0
// Where responses go that are not ready at once. Implemented by the connection.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace edged::server {

class Completion {
 public:
  virtual ~Completion() = default;
  // The response to a ticket, or its last part: called exactly once, on any thread, also on the
  // dispatching one. Must not block.
  virtual void complete(std::uint64_t ticket, std::string response) = 0;
  // A part of it before the last. `go_on` makes the next one; it is called when the peer has taken
  // enough of what was sent, and dropped if the connection ends.
  virtual void complete_part(std::uint64_t ticket,
                             std::string response,
                             std::function<void()> go_on) = 0;
  // Something that the connection waits for has happened: it looks again. Any thread; must not
  // block.
  virtual void wake() = 0;

  // For a pass, on the connection's own thread. Nothing is sent from hold_back() to go_on(), since
  // more is about to come. hold_back() is false if that was so already.
  virtual bool hold_back() = 0;
  // Where the response to a ticket is appended before answered() is told so, once. If the peer has
  // gone, nobody reads it.
  virtual std::string& out() = 0;
  virtual void answered(std::uint64_t ticket) = 0;
  // Soon after.
  virtual void go_on() = 0;
};

}  // namespace edged::server
