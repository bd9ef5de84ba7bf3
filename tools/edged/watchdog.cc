// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/watchdog.h"

#include <utility>

namespace edged {

Watchdog::Watchdog(boost::asio::any_io_executor executor, ServiceManager& manager)
    : manager_(manager), timer_(std::move(executor)) {}

void Watchdog::start() {
  if (manager_.watchdog().count() == 0) return;
  manager_.alive();
  timer_.expires_after(manager_.watchdog() / 3);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) start();
  });
}

void Watchdog::stop() {
  timer_.cancel();
}

}  // namespace edged
