// SPDX-License-Identifier: Apache-2.0
// The mirror's part of `edged worker`: decides how the node gets its rows, follows PostgreSQL if it
// is this worker's role, and otherwise finds out whether another process does. One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "proto/net/condition.h"
#include "tools/edged/config.h"
#include "tools/edged/mirror_parts.h"
#include "tools/edged/worker_parts.h"
#include "worker/mirror/mirror.h"

namespace edged {

class MirrorService {
 public:
  // All outlive this object and its tasks.
  MirrorService(boost::asio::any_io_executor executor,
                const config::Config& config,
                WorkerParts& parts,
                std::string worker_name);

  // For a worker with the role: decides the mode and starts what it needs. False: PostgreSQL does
  // not answer, to be called again.
  boost::asio::awaitable<bool> begin();
  // For a worker that runs jobs without the role: keeps WorkerParts told of the mirror that another
  // process keeps, until stop(). The first answer is there when begin_watching() returns.
  boost::asio::awaitable<void> begin_watching();

  void stop();
  // Waits until the stream has ended. False if that takes until `deadline`.
  boost::asio::awaitable<bool> ended(std::chrono::steady_clock::time_point deadline);
  const std::string& mode() const { return mode_; }  // "logical", "cache-aside", "off"

 private:
  boost::asio::awaitable<void> pause(std::chrono::milliseconds duration);
  boost::asio::awaitable<void> follow();
  boost::asio::awaitable<void> release_node();
  boost::asio::awaitable<void> watch_node();
  boost::asio::awaitable<void> ask_node();

  boost::asio::any_io_executor executor_;
  const config::Config& config_;
  WorkerParts& parts_;
  const std::string worker_name_;
  net::AsyncCondition changed_;  // notified when following_ or stopping_ changes
  std::unique_ptr<net::Client> client_;
  std::unique_ptr<mirror::Mirror> mirror_;
  std::string mode_ = "off";
  bool following_ = false;
  bool stopping_ = false;
};

}  // namespace edged
