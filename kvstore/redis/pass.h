// SPDX-License-Identifier: Apache-2.0
// One pass of a reactor over the connections that are ready. The pass collects their writes. After
// the last of the connections it gives all of them to the store together (operations/write_pass.h).
// The connections send nothing before, so that each sends once. The answers come on the reactor's
// thread: before end() returns if no other thread is writing, otherwise later, all of them by one
// message. The reactor's thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "kvstore/operations/operations.h"
#include "kvstore/storage/store.h"
#include "proto/net/poller.h"

namespace edged::redis {

class Pass {
 public:
  using Written = Result<std::vector<storage::WriteOutcome>>;
  using Done = std::function<void(Written)>;

  // A connection that asked for writes.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    // The connection sends nothing until go_on() is called, because more replies come.
    virtual void hold_back() = 0;
    virtual void go_on() = 0;
  };

  // What is given by reference outlives the pass.
  Pass(boost::asio::io_context& io, net::Poller& poller, operations::Operations& operations);
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Before the first write. What `life` points to owns this object and its io_context.
  void set_life(std::weak_ptr<void> life);

  // `done` is called once, on the reactor's thread, also at once if the write is refused; not at
  // all if the reactor has gone.
  void add(operations::Caller& caller,
           storage::Write write,
           const std::shared_ptr<Waiter>& waiter,
           Done done);

  // The pass has collected enough: connections take their next commands in the pass that follows.
  bool full() const { return collected_ != nullptr && collected_->operations() >= kOperationsMax; }

 private:
  class Answers;
  // A GET beside a flood of writes waits for so many at most.
  static constexpr std::size_t kOperationsMax = 128;

  void end();

  boost::asio::io_context& io_;
  net::Poller& poller_;
  operations::Operations& operations_;
  const std::shared_ptr<Answers> answers_;
  std::shared_ptr<operations::WritePass> collected_;  // null: nothing yet
  std::vector<std::weak_ptr<Waiter>> held_back_;
};

}  // namespace edged::redis
