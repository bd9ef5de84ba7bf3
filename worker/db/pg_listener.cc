// SPDX-License-Identifier: Apache-2.0
// See pg_listener.h.
#include "worker/db/pg_listener.h"

#include <chrono>
#include <utility>

#include "proto/base/backoff.h"
#include "proto/base/log.h"

namespace edged::db {
namespace {

using boost::asio::awaitable;

constexpr std::chrono::milliseconds kSilenceMax{30'000};
constexpr Backoff::Options kReconnect{std::chrono::milliseconds(100),
                                      std::chrono::milliseconds(10'000)};

}  // namespace

PgListener::PgListener(boost::asio::any_io_executor executor,
                       PgConnectOptions options,
                       std::string channel,
                       std::function<void()> on_notify,
                       MetricsRegistry& metrics)
    : executor_(executor),
      options_(std::move(options)),
      channel_(std::move(channel)),
      on_notify_(std::move(on_notify)),
      listening_(metrics.gauge("edged_pg_listening",
                               "1 while a connection waits for notifications of PostgreSQL.")),
      changed_(executor) {}

awaitable<void> PgListener::run() {
  Backoff backoff(
      kReconnect,
      static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
  bool told = false;
  while (!stopping_) {
    auto connected = co_await PgConnection::connect(executor_, options_);
    Status status = connected ? Status() : connected.error();
    if (connected && !stopping_) {
      connection_ = std::move(*connected);
      status = co_await listen();
      if (listening_.value() != 0) backoff.reset();
      listening_.set(0);
      connection_.reset();
    }
    if (stopping_) break;
    if (!told)
      log::info("[DB] there is no LISTEN connection; consumers poll until there is one: " +
                status.message());
    told = true;
    const auto until = std::chrono::steady_clock::now() + backoff.next();
    (void)co_await changed_.wait_until(until, [this] { return stopping_; });
  }
}

// Until the connection fails.
awaitable<Status> PgListener::listen() {
  std::string listen = "listen " + channel_;
  PgParameters none;
  const Result<PgResult> listening = co_await connection_->execute(std::move(listen), none);
  if (!listening) co_return listening.error();
  listening_.set(1);
  on_notify_();
  while (!stopping_) {
    const Result<bool> notified = co_await connection_->wait_for_notification(kSilenceMax);
    if (!notified) co_return notified.error();
    if (*notified) {
      on_notify_();
      continue;
    }
    const Result<PgResult> probed = co_await connection_->execute("select 1", none);
    if (!probed) co_return probed.error();
  }
  co_return Status();
}

void PgListener::stop() {
  stopping_ = true;
  if (connection_) connection_->abandon();
  changed_.notify_all();
}

}  // namespace edged::db
