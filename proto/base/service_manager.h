// SPDX-License-Identifier: Apache-2.0
// Tells the service manager that started the program how it does, in the protocol of sd_notify(3):
// one datagram a message to the socket that NOTIFY_SOCKET names. Without that variable every call
// does nothing. A message that cannot be sent is lost; the first loss is logged. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

namespace edged {

class ServiceManager {
 public:
  // Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that child
  // processes do not speak for this one. Call it before threads start.
  static ServiceManager from_environment();

  // `address`: a path, or "@name" for an abstract socket; empty: there is no service manager.
  // `watchdog`: a sign of life is wanted within each such time; zero: none.
  ServiceManager(std::string address, std::chrono::microseconds watchdog);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  bool present() const { return socket_ >= 0; }
  std::chrono::microseconds watchdog() const { return watchdog_; }

  void ready();
  void reloading();  // then ready() again
  void stopping();
  void alive();

 private:
  void send(std::string_view message);

  std::string address_;
  std::chrono::microseconds watchdog_;
  int socket_ = -1;
  std::atomic<bool> told_{false};
};

}  // namespace edged
