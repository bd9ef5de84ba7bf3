// SPDX-License-Identifier: Apache-2.0
// A sign of life for the service manager three times within each period of its watchdog, from the
// io_context that does the work: one that hangs is silent. One thread, the executor's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "proto/base/service_manager.h"

namespace edged {

class Watchdog {
 public:
  // `manager` outlives it. Destroy it before its io_context.
  Watchdog(boost::asio::any_io_executor executor, ServiceManager& manager);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void start();  // does nothing if the service manager has no watchdog
  void stop();

 private:
  ServiceManager& manager_;
  boost::asio::steady_timer timer_;
};

}  // namespace edged
