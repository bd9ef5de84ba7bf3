// SPDX-License-Identifier: Apache-2.0
// See pass.h.
#include "kvstore/server/pass.h"

#include <boost/asio/post.hpp>

#include "kvstore/server/routes.h"

namespace edged::server {
namespace asio = boost::asio;

void WriteAnswers::answer(PlannedWrite& plan,
                          Result<std::vector<storage::WriteOutcome>> written,
                          const ReplyTo& to,
                          Instant start,
                          std::string& out) {
  under_way_->end();
  const std::size_t before = out.size();
  const Code status = answer_write(std::move(plan), std::move(written), to, out);
  metrics_->count(place_of(to.opcode), status, start);
  if (to.quiet && goes_without_saying(to.opcode, status)) {
    out.resize(before);
  }
}

// Holds no connection: one that ends is not kept by what it has asked for.
class Pass::Collected final : public storage::WriteSet,
                              public std::enable_shared_from_this<Collected> {
 public:
  Collected(asio::io_context& io, std::weak_ptr<void> life) : io_(io), life_(std::move(life)) {
    items.reserve(kExpected);
    requests_.reserve(kExpected);
  }

  void add(Request request) {
    items.push_back({std::move(request.plan.write), {}, {}});
    request.plan.write.atomic = items.back().write.atomic;
    requests_.push_back(std::move(request));
  }

  void done(storage::Durability durability) override {
    const std::shared_ptr<void> alive = life_.lock();
    if (!alive || io_.get_executor().running_in_this_thread()) {
      answer(durability, false);
      return;
    }
    asio::post(io_, [self = shared_from_this(), durability] { self->answer(durability, true); });
  }

 private:
  static constexpr std::size_t kExpected = 8;

  // `progress`: the pass has ended, so that nobody else makes the connections go on.
  void answer(storage::Durability durability, bool progress) {
    std::vector<std::shared_ptr<Completion>> answered;
    std::string nobodys;
    for (std::size_t i = 0; i < items.size(); ++i) {
      Item& item = items[i];
      if (item.write.durability != durability) continue;
      Request& request = requests_[i];
      Result<std::vector<storage::WriteOutcome>> written(std::move(item.outcomes));
      if (!item.status.ok()) written = std::move(item.status);
      std::shared_ptr<Completion> completion = request.completion.lock();
      std::string& out = completion ? completion->out() : nobodys;
      request.answers->answer(request.plan, std::move(written), request.to, request.start, out);
      if (!completion) continue;
      completion->answered(request.ticket);
      if (progress && (answered.empty() || answered.back() != completion)) {
        answered.push_back(std::move(completion));
      }
    }
    for (const auto& completion : answered) completion->go_on();
  }

  asio::io_context& io_;
  const std::weak_ptr<void> life_;
  std::vector<Request> requests_;
};

void Pass::add(Request request, Completion& completion) {
  if (!collected_) {
    collected_ = std::make_shared<Collected>(io_, life_);
    // Behind what is ready.
    if (!poller_.at_end_of_batch([this] { end(); })) asio::post(io_, [this] { end(); });
  }
  operations_ += request.plan.write.operations.size();
  if (completion.hold_back()) held_back_.push_back(request.completion);
  collected_->add(std::move(request));
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
