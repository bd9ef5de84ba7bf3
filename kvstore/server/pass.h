// SPDX-License-Identifier: Apache-2.0
// One pass of a reactor over the connections that are ready. Writes are collected and given to the
// store together behind the last of these connections; the connections that asked for them send
// nothing before, so that each sends once. With nobody else writing, the store writes on this very
// thread and the answers are there when it returns; otherwise they come later, all by one message
// to the reactor. docs/adr/0006-shares-and-turns.md. The reactor's thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "kvstore/server/completion.h"
#include "kvstore/storage/store.h"

namespace edged::server {

class Pass {
 public:
  // Makes the response from what the store answered, empty if nothing is to be said. Called once,
  // on the reactor's thread, or on another if the reactor has ended.
  using Respond = std::function<std::string(storage::WriteSet::Item&)>;

  // The owner of both lives as long as `life`.
  Pass(boost::asio::io_context& io, storage::Store& store) : io_(io), store_(store) {}
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Before the first write. What `life` points to owns this object and its io_context.
  void set_life(std::weak_ptr<void> life) { life_ = std::move(life); }

  void add(storage::Write write,
           const std::shared_ptr<Completion>& completion,
           std::uint64_t ticket,
           Respond respond);

  // Who goes on now waits until the next pass.
  bool full() const { return operations_ >= kOperationsMax; }

 private:
  class Collected;
  // A GET beside a flood of puts waits for so many at most.
  static constexpr std::size_t kOperationsMax = 64;

  void end();

  boost::asio::io_context& io_;
  storage::Store& store_;
  std::weak_ptr<void> life_;
  std::shared_ptr<Collected> collected_;  // null: nothing yet
  std::vector<std::weak_ptr<Completion>> held_back_;
  std::size_t operations_ = 0;
};

}  // namespace edged::server
