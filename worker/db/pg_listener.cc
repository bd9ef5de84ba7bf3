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
constexpr std::chrono::milliseconds kProbePatience{5'000};
constexpr Backoff::Options kReconnect{std::chrono::milliseconds(100),
                                      std::chrono::milliseconds(10'000)};

}  // namespace

PgListener::PgListener(boost::asio::any_io_executor executor,
                       PgConnectOptions options,
                       std::string channel,
                       Probe probe,
                       std::function<void()> on_notify,
                       MetricsRegistry& metrics)
    : executor_(executor),
      options_(std::move(options)),
      channel_(std::move(channel)),
      probe_(std::move(probe)),
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
  on_notify_();
  const Result<bool> arrives = co_await verify();
  if (!arrives) co_return arrives.error();
  if (*arrives) set_listening();
  while (!stopping_) {
    const Result<bool> notified = co_await connection_->wait_for_notification(kSilenceMax);
    if (!notified) co_return notified.error();
    if (*notified) {
      set_listening();
      on_notify_();
      continue;
    }
    const Result<PgResult> probed = co_await connection_->execute("select 1", none);
    if (!probed) co_return probed.error();
  }
  co_return Status();
}

awaitable<Result<bool>> PgListener::verify() {
  if (!probe_) co_return true;
  const Status sent = co_await probe_();
  if (!sent.ok() || stopping_) co_return true;
  const Result<bool> notified = co_await connection_->wait_for_notification(kProbePatience);
  if (!notified) co_return notified.error();
  if (*notified) {
    on_notify_();
    co_return true;
  }
  if (!deaf_told_) {
    log::warn(
        "[DB] notifications do not arrive over the LISTEN connection: it leads to a pooler in "
        "transaction mode, or to another database. Queues are looked at each second instead. Set "
        "postgres.listen_url to the address of PostgreSQL itself, or of a pooler in session mode");
  }
  deaf_told_ = true;
  co_return false;
}

void PgListener::set_listening() {
  if (deaf_told_) log::info("[DB] notifications arrive over the LISTEN connection");
  deaf_told_ = false;
  listening_.set(1);
}

void PgListener::stop() {
  stopping_ = true;
  if (connection_) connection_->abandon();
  changed_.notify_all();
}

}  // namespace edged::db
