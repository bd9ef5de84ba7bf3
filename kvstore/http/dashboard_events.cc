// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/dashboard_events.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <string_view>
#include <utility>

#include "proto/http/bearer.h"
#include "proto/net/condition.h"

namespace edged::kv_http {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr const char* kPath = "/dashboard/events";

http::Response method_not_allowed() {
  http::Response response = http::refusal(405, "only GET is possible here");
  response.headers.emplace_back("Allow", "GET");
  return response;
}

http::Response too_many() {
  http::Response response = http::refusal(503, "too many dashboards are open; close one");
  response.headers.emplace_back("Retry-After", "10");
  return response;
}

}  // namespace

class DashboardEvents::Impl : public std::enable_shared_from_this<DashboardEvents::Impl> {
 public:
  Impl(asio::any_io_executor executor,
       std::function<std::string()> snapshot,
       http::MayRead may_read,
       DashboardEventsOptions options)
      : executor_(executor),
        snapshot_(std::move(snapshot)),
        may_read_(std::move(may_read)),
        options_(options),
        changed_(executor),
        timer_(executor) {}

  awaitable<void> handle(http::Exchange& exchange) {
    const http::RequestHead& head = exchange.head();
    if (head.target_path != kPath) {
      (void)co_await exchange.send(http::refusal(404, "no such page"));
      co_return;
    }
    if (head.method != "GET") {
      (void)co_await exchange.send(method_not_allowed());
      co_return;
    }
    const std::string credential(http::bearer_of(head.headers).value_or(""));
    const Status may = may_read_(credential);
    if (!may.ok()) {
      (void)co_await exchange.send(http::metrics_refusal(may));
      co_return;
    }
    if (listeners_ >= options_.listeners_max || stopped_) {
      (void)co_await exchange.send(too_many());
      co_return;
    }
    const Listening listening(*this);
    co_await stream(exchange, credential);
  }

  void stop() {
    stopped_ = true;
    timer_.cancel();
    changed_.notify_all();
  }

 private:
  // Counts a reader while it lives. The first one starts the snapshots.
  class Listening {
   public:
    explicit Listening(Impl& impl) : impl_(impl) {
      if (impl_.listeners_++ == 0 && !impl_.ticking_) impl_.start();
    }
    ~Listening() { --impl_.listeners_; }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

   private:
    Impl& impl_;
  };

  void start() {
    ticking_ = true;
    asio::co_spawn(executor_, tick(shared_from_this()), asio::detached);
  }

  static awaitable<void> tick(std::shared_ptr<Impl> self) {
    while (self->listeners_ > 0 && !self->stopped_) {
      std::string text("data: ");
      text.append(self->snapshot_()).append("\n\n");
      self->event_ = std::make_shared<const std::string>(std::move(text));
      ++self->number_;
      self->changed_.notify_all();
      self->timer_.expires_after(self->options_.interval);
      co_await self->timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    self->ticking_ = false;
    self->event_.reset();
  }

  awaitable<void> stream(http::Exchange& exchange, std::string credential) {
    http::ResponseHead head;
    head.content_type = "text/event-stream";
    const Status begun = co_await exchange.begin(head, std::nullopt);
    if (!begun.ok()) co_return;
    std::uint64_t seen = number_;
    if (event_) --seen;  // the newest is at most one interval old
    const auto has_news = [&] { return number_ != seen || stopped_; };
    for (;;) {
      co_await changed_.wait(has_news);
      if (stopped_ || !event_ || !may_read_(credential).ok()) break;
      seen = number_;
      const std::shared_ptr<const std::string> event = event_;
      const Status written = co_await exchange.write(*event);
      if (!written.ok()) co_return;
    }
    (void)co_await exchange.end();
  }

  const asio::any_io_executor executor_;
  const std::function<std::string()> snapshot_;
  const http::MayRead may_read_;
  const DashboardEventsOptions options_;
  net::AsyncCondition changed_;
  asio::steady_timer timer_;
  std::shared_ptr<const std::string> event_;  // null: no snapshot that is fresh
  std::uint64_t number_ = 0;                  // of snapshots made
  std::size_t listeners_ = 0;
  bool ticking_ = false;
  bool stopped_ = false;
};

DashboardEvents::DashboardEvents(asio::any_io_executor executor,
                                 std::function<std::string()> snapshot,
                                 http::MayRead may_read,
                                 DashboardEventsOptions options)
    : impl_(std::make_shared<Impl>(
          std::move(executor), std::move(snapshot), std::move(may_read), options)) {}

DashboardEvents::~DashboardEvents() = default;

void DashboardEvents::add_routes(http::Server& server) {
  server.route_raw(
      kPath, [impl = impl_](http::Exchange& exchange) { return impl->handle(exchange); }, {});
}

void DashboardEvents::stop() {
  impl_->stop();
}

}  // namespace edged::kv_http
