// SPDX-License-Identifier: Apache-2.0
// A TCP proxy on a free port of 127.0.0.1 that can be told to misbehave. It runs a thread of its
// own; all functions on any thread.
#pragma once

#include <chrono>
#include <memory>

namespace edged::soak {

class MirrorProxy {
 public:
  // To a port of 127.0.0.1.
  explicit MirrorProxy(int target_port);
  ~MirrorProxy();
  MirrorProxy(const MirrorProxy&) = delete;
  MirrorProxy& operator=(const MirrorProxy&) = delete;

  int port() const;
  // Nothing passes for so long, neither bytes nor the end of a connection; of connections that come
  // meanwhile likewise, unless `only_present`.
  void stall(std::chrono::milliseconds time, bool only_present);
  // Each piece waits so long; 0: none does.
  void delay(std::chrono::milliseconds time);
  // Ends all connections.
  void cut();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::soak
