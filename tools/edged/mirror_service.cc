// SPDX-License-Identifier: Apache-2.0
// See mirror_service.h.
#include "tools/edged/mirror_service.h"

#include <utility>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "proto/net/spawn.h"
#include "worker/mirror/applier.h"

namespace edged {

using boost::asio::awaitable;

namespace {

constexpr std::chrono::seconds kWatchInterval{10};

}  // namespace

MirrorService::MirrorService(boost::asio::any_io_executor executor,
                             const config::Config& config,
                             WorkerParts& parts,
                             std::string worker_name)
    : executor_(executor),
      config_(config),
      parts_(parts),
      worker_name_(std::move(worker_name)),
      changed_(executor) {}

awaitable<void> MirrorService::pause(std::chrono::milliseconds duration) {
  const auto until = std::chrono::steady_clock::now() + duration;
  (void)co_await changed_.wait_until(until, [this] { return stopping_; });
}

awaitable<bool> MirrorService::ended(std::chrono::steady_clock::time_point deadline) {
  return changed_.wait_until(deadline, [this] { return !following_; });
}

void MirrorService::stop() {
  stopping_ = true;
  changed_.notify_all();
  if (mirror_) mirror_->stop();
}

awaitable<bool> MirrorService::begin() {
  const Result<MirrorChoice> choice = co_await choose_mirror(config_, parts_.pool);
  if (!choice) {
    log::error("[mirror] " + choice.error().message());
    co_return false;
  }
  mode_ = choice->logical ? "logical" : "cache-aside";
  parts_.metrics
      .gauge(
          "edged_mirror_mode", "1 for the way in which the node gets its rows", {{"mode", mode_}})
      .set(1);
  log::info("[mirror] mode " + mode_ + ": " + choice->why);
  client_ = std::make_unique<net::Client>(executor_, mirror_client_options(config_));
  if (!choice->logical) {
    net::spawn(executor_, release_node());
    co_return true;
  }
  mirror_ = std::make_unique<mirror::Mirror>(executor_,
                                             parts_.pool,
                                             *client_,
                                             parts_.clock,
                                             parts_.metrics,
                                             mirror_options(config_, worker_name_));
  parts_.set_mirror({mirrored_keys(config_.mirror), true});
  net::spawn(executor_, follow());
  co_return true;
}

awaitable<void> MirrorService::follow() {
  following_ = true;
  co_await mirror_->run();
  following_ = false;
  changed_.notify_all();
}

// The keys of a mirror that ran before belong to nobody now, and nobody would keep them fresh.
awaitable<void> MirrorService::release_node() {
  mirror::Applier applier(executor_, *client_, config_.worker_namespace_id());
  Backoff backoff({std::chrono::milliseconds(500), std::chrono::milliseconds(30'000)}, 1);
  while (!stopping_) {
    const Result<bool> released = co_await applier.release(worker_name_);
    if (released && *released) log::info("[mirror] released the keys of a mirror that ran before");
    if (released || !retryable(released.code())) break;
    co_await pause(backoff.next());
  }
}

awaitable<void> MirrorService::begin_watching() {
  if (!parts_.kv_client) co_return;
  co_await ask_node();
  net::spawn(executor_, watch_node());
}

awaitable<void> MirrorService::ask_node() {
  const NodeMirror found =
      co_await ask_node_for_mirror(*parts_.kv_client, config_, parts_.clock.wall_now());
  parts_.set_mirror(found);
}

awaitable<void> MirrorService::watch_node() {
  while (!stopping_) {
    co_await pause(kWatchInterval);
    if (!stopping_) co_await ask_node();
  }
}

}  // namespace edged
