// SPDX-License-Identifier: Apache-2.0
// Bounds how many bulk answers of many bytes a face has in memory at once: one may hold 25 MiB for
// as long as its client takes to read it. One executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "proto/net/condition.h"

namespace edged::kv_http {

// Of each face. An answer of more than kBulkSmallBytes keeps its slot until it is sent; a request
// waits at most kBulkPatience for one.
inline constexpr std::size_t kBulkSlots = 4;
inline constexpr std::size_t kBulkSmallBytes = 1 << 20;
inline constexpr std::chrono::milliseconds kBulkPatience{10'000};

class BulkSlots {
  struct State {
    State(const boost::asio::any_io_executor& executor, std::size_t count)
        : free(count), freed(executor) {}
    std::size_t free;
    net::AsyncCondition freed;
  };

 public:
  // A slot that is held, or none. It may outlive the BulkSlots it came from.
  class Slot {
   public:
    Slot() = default;
    Slot(Slot&& other) noexcept : state_(std::move(other.state_)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(state_, other.state_);
      return *this;
    }
    ~Slot() { release(); }

    explicit operator bool() const { return state_ != nullptr; }
    void release() {
      if (!state_) return;
      ++state_->free;
      state_->freed.notify_all();
      state_.reset();
    }

   private:
    friend class BulkSlots;
    explicit Slot(std::shared_ptr<State> state) : state_(std::move(state)) { --state_->free; }

    std::shared_ptr<State> state_;
  };

  BulkSlots(const boost::asio::any_io_executor& executor, std::size_t count)
      : state_(std::make_shared<State>(executor, count)) {}

  // None if none becomes free in time.
  boost::asio::awaitable<Slot> acquire(std::chrono::milliseconds timeout) {
    return acquire_from(state_, timeout);
  }

 private:
  static boost::asio::awaitable<Slot> acquire_from(std::shared_ptr<State> state,
                                                   std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    State& slots = *state;
    const bool free =
        co_await slots.freed.wait_until(deadline, [&slots] { return slots.free > 0; });
    if (!free) co_return Slot();
    co_return Slot(std::move(state));
  }

  const std::shared_ptr<State> state_;
};

}  // namespace edged::kv_http
