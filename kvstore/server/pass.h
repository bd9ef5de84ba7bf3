// SPDX-License-Identifier: Apache-2.0
// One pass of a reactor over the connections that are ready. Writes are collected and given to the
// store together behind the last of these connections; the connections that asked for them send
// nothing before, so that each sends once. With nobody else writing, the store writes on this very
// thread and the answers are there when it returns; otherwise they come later, all by one message
// to the reactor. docs/adr/0006-shares-and-turns.md. The reactor's thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kvstore/operations/request_metrics.h"
#include "kvstore/operations/work.h"
#include "kvstore/server/completion.h"
#include "kvstore/server/reply.h"
#include "kvstore/server/writes.h"
#include "kvstore/storage/store.h"
#include "proto/net/poller.h"

namespace edged::server {

// Makes the response to a write, and counts it.
class WriteAnswers {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  WriteAnswers(std::shared_ptr<operations::RequestMetrics> metrics,
               std::shared_ptr<operations::UnderWayCount> under_way)
      : metrics_(std::move(metrics)), under_way_(std::move(under_way)) {}

  void begin() { under_way_->begin(); }
  // Once for each begin(). Appends the response, unless it is quiet and there is nothing to say.
  // Any thread.
  void answer(PlannedWrite& plan,
              Result<std::vector<storage::WriteOutcome>> written,
              const ReplyTo& to,
              Instant start,
              std::string& out);

 private:
  const std::shared_ptr<operations::RequestMetrics> metrics_;
  const std::shared_ptr<operations::UnderWayCount> under_way_;
};

class Pass {
 public:
  // All outlive the pass.
  Pass(boost::asio::io_context& io, net::Poller& poller, storage::Store& store)
      : io_(io), poller_(poller), store_(store) {}
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Before the first write. What `life` points to owns this object and its io_context.
  void set_life(std::weak_ptr<void> life) { life_ = std::move(life); }

  // A write for the store and how it is answered.
  struct Request {
    PlannedWrite plan;
    ReplyTo to;
    std::weak_ptr<Completion> completion;
    std::uint64_t ticket = 0;
    WriteAnswers::Instant start;
    std::shared_ptr<WriteAnswers> answers;
  };
  // Takes `plan.write` out of the request.
  void add(Request request, Completion& completion);

  // The pass has collected enough: connections take their next requests in the pass that follows.
  bool full() const { return operations_ >= kOperationsMax; }

 private:
  class Collected;
  // A GET beside a flood of puts waits for so many at most.
  static constexpr std::size_t kOperationsMax = 64;

  void end();

  boost::asio::io_context& io_;
  net::Poller& poller_;
  storage::Store& store_;
  std::weak_ptr<void> life_;
  std::shared_ptr<Collected> collected_;  // null: nothing yet
  std::vector<std::weak_ptr<Completion>> held_back_;
  std::size_t operations_ = 0;
};

}  // namespace edged::server
