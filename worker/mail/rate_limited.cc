// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/rate_limited.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace edged::mail {

RateLimitedTransport::RateLimitedTransport(std::unique_ptr<Transport> inner, int mails_per_second)
    : inner_(std::move(inner)),
      gap_(std::chrono::nanoseconds(std::chrono::seconds(1)) / mails_per_second) {}

boost::asio::awaitable<Delivery> RateLimitedTransport::deliver(Parcel parcel, Attempt attempt) {
  const auto turn = std::max(next_, std::chrono::steady_clock::now());
  next_ = turn + gap_ * static_cast<std::int64_t>(parcel.mails());
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, turn);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  Delivery delivery = co_await inner_->deliver(std::move(parcel), attempt);
  co_return delivery;
}

}  // namespace edged::mail
