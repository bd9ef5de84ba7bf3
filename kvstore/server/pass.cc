// SPDX-License-Identifier: Apache-2.0
// See pass.h.
#include "kvstore/server/pass.h"

#include <boost/asio/post.hpp>

namespace edged::server {
namespace asio = boost::asio;

// Holds no connection: one that ends is not kept by what it has asked for.
class Pass::Collected final : public storage::WriteSet,
                              public std::enable_shared_from_this<Collected> {
 public:
  Collected(asio::io_context& io, std::weak_ptr<void> life) : io_(io), life_(std::move(life)) {}

  void add(storage::Write write,
           std::weak_ptr<Completion> completion,
           std::uint64_t ticket,
           Respond respond) {
    items.push_back({std::move(write), {}, {}});
    answers_.push_back({std::move(completion), ticket, std::move(respond)});
  }

  void done(storage::Durability durability) override {
    const std::shared_ptr<void> alive = life_.lock();
    if (!alive || io_.get_executor().running_in_this_thread()) {
      respond(durability, false);
      return;
    }
    asio::post(io_, [self = shared_from_this(), durability] { self->respond(durability, true); });
  }

 private:
  struct Answer {
    std::weak_ptr<Completion> completion;
    std::uint64_t ticket = 0;
    Respond respond;
  };

  // `progress`: the pass has ended, so that nobody else makes the connections go on.
  void respond(storage::Durability durability, bool progress) {
    std::vector<std::shared_ptr<Completion>> answered;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].write.durability != durability) continue;
      std::string response = answers_[i].respond(items[i]);
      std::shared_ptr<Completion> completion = answers_[i].completion.lock();
      if (!completion) continue;
      completion->deliver(answers_[i].ticket, std::move(response));
      if (progress && (answered.empty() || answered.back() != completion)) {
        answered.push_back(std::move(completion));
      }
    }
    for (const auto& completion : answered) completion->go_on();
  }

  asio::io_context& io_;
  const std::weak_ptr<void> life_;
  std::vector<Answer> answers_;
};

void Pass::add(storage::Write write,
               const std::shared_ptr<Completion>& completion,
               std::uint64_t ticket,
               Respond respond) {
  if (!collected_) {
    collected_ = std::make_shared<Collected>(io_, life_);
    // Behind what is ready.
    asio::post(io_, [this] { end(); });
  }
  operations_ += write.operations.size();
  collected_->add(std::move(write), completion, ticket, std::move(respond));
  if (completion->hold_back()) held_back_.push_back(completion);
}

void Pass::end() {
  const std::shared_ptr<Collected> collected = std::exchange(collected_, nullptr);
  const std::vector<std::weak_ptr<Completion>> held_back = std::exchange(held_back_, {});
  operations_ = 0;
  store_.commit(collected);
  for (const std::weak_ptr<Completion>& one : held_back) {
    if (const std::shared_ptr<Completion> completion = one.lock()) completion->go_on();
  }
}

}  // namespace edged::server
