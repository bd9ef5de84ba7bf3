// SPDX-License-Identifier: Apache-2.0
// Another transport at no more than so many mails a second, evenly spread. One thread.
#pragma once

#include <chrono>
#include <memory>

#include "worker/mail/transport.h"

namespace edged::mail {

class RateLimitedTransport final : public Transport {
 public:
  // `mails_per_second` is at least 1.
  RateLimitedTransport(std::unique_ptr<Transport> inner, int mails_per_second);

  std::string_view name() const override { return inner_->name(); }
  Limits limits() const override { return inner_->limits(); }
  Status start() override { return inner_->start(); }
  bool is_idempotent() const override { return inner_->is_idempotent(); }
  std::string freeze(const std::vector<Message>& messages) const override {
    return inner_->freeze(messages);
  }
  // Waits for its turn first.
  boost::asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) override;

 private:
  const std::unique_ptr<Transport> inner_;
  const std::chrono::nanoseconds gap_;  // between two mails
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace edged::mail
