// SPDX-License-Identifier: Apache-2.0
// See pass.h.
#include "kvstore/redis/pass.h"

#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace edged::redis {
namespace asio = boost::asio;

// Brings answers to the reactor's thread. Lives as long as a write that is under way.
class Pass::Answers : public std::enable_shared_from_this<Answers> {
 public:
  explicit Answers(asio::io_context& io) : io_(io) {}

  void set_life(std::weak_ptr<void> life) { life_ = std::move(life); }

  void give(const Done& done, const std::weak_ptr<Waiter>& waiter, Written written) {
    const std::shared_ptr<void> alive = life_.lock();
    if (!alive) return;
    if (io_.get_executor().running_in_this_thread()) {
      done(std::move(written));
      answered_.push_back(waiter);
      return;
    }
    const std::lock_guard lock(mutex_);
    late_.push_back({done, waiter, std::move(written)});
    if (std::exchange(posted_, true)) return;
    asio::post(io_, [self = shared_from_this()] { self->answer_late(); });
  }

  // Those whose answers were given on the reactor's thread.
  void go_on() {
    for (const auto& one : std::exchange(answered_, {})) {
      if (const auto waiter = one.lock()) waiter->go_on();
    }
  }

 private:
  struct Late {
    Done done;
    std::weak_ptr<Waiter> waiter;
    Written written;
  };

  void answer_late() {
    std::vector<Late> late;
    {
      const std::lock_guard lock(mutex_);
      late.swap(late_);
      posted_ = false;
    }
    for (Late& one : late) {
      one.done(std::move(one.written));
      answered_.push_back(one.waiter);
    }
    go_on();
  }

  asio::io_context& io_;
  std::weak_ptr<void> life_;
  std::vector<std::weak_ptr<Waiter>> answered_;  // the reactor's thread only
  std::mutex mutex_;
  std::vector<Late> late_;  // guarded by mutex_
  bool posted_ = false;     // guarded by mutex_
};

Pass::Pass(asio::io_context& io, net::Poller& poller, operations::Operations& operations)
    : io_(io), poller_(poller), operations_(operations), answers_(std::make_shared<Answers>(io)) {}

Pass::~Pass() = default;

void Pass::set_life(std::weak_ptr<void> life) {
  answers_->set_life(std::move(life));
}

void Pass::add(operations::Caller& caller,
               storage::Write write,
               const std::shared_ptr<Waiter>& waiter,
               Done done) {
  if (!collected_) {
    collected_ = operations_.begin_pass();
    // Behind what is ready.
    if (!poller_.at_end_of_batch([this] { end(); })) asio::post(io_, [this] { end(); });
  }
  waiter->hold_back();
  held_back_.push_back(waiter);
  operations_.collect(
      *collected_,
      caller,
      std::move(write),
      [answers = answers_, done = std::move(done), waiter = std::weak_ptr<Waiter>(waiter)](
          Written written) { answers->give(done, waiter, std::move(written)); });
}

void Pass::end() {
  std::shared_ptr<operations::WritePass> collected = std::exchange(collected_, nullptr);
  const auto held_back = std::exchange(held_back_, {});
  operations_.commit(std::move(collected));
  for (const auto& one : held_back) {
    if (const auto waiter = one.lock()) waiter->go_on();
  }
  answers_->go_on();
}

}  // namespace edged::redis
