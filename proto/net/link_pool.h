// SPDX-License-Identifier: Apache-2.0
// Gives the client its connection: one Link, made when it is needed, made again after it broke.
// While the node is unreachable, callers between two attempts are refused at once, so that a dead
// node costs no time. Its executor's thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/status.h"
#include "proto/net/client.h"
#include "proto/net/condition.h"
#include "proto/net/link.h"

namespace edged::net {

class LinkPool : public std::enable_shared_from_this<LinkPool> {
 public:
  LinkPool(boost::asio::any_io_executor executor, const ClientOptions& options);

  // Errors: kUnavailable, and what connect() says; kUnauthenticated (the credential is refused);
  // kDeadlineExceeded.
  boost::asio::awaitable<Result<std::shared_ptr<Link>>> get(Deadline deadline);
  // Ends everything under way; get() is refused from now on.
  void close();

 private:
  bool usable() const;
  boost::asio::awaitable<void> connect_once();
  boost::asio::awaitable<Status> authenticate(std::shared_ptr<Link> link);
  void adopt(std::shared_ptr<Link> link);

  boost::asio::any_io_executor executor_;
  const ClientOptions options_;
  std::shared_ptr<Link> link_;
  std::vector<std::weak_ptr<Link>> retired_;  // told to go, with calls still under way
  AsyncCondition attempt_ended_;              // notified when an attempt to connect ends
  bool connecting_ = false, closed_ = false;
  Status last_error_;
  Backoff backoff_;
  Deadline next_attempt_{};
};

}  // namespace edged::net
