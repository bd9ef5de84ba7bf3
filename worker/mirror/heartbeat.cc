// SPDX-License-Identifier: Apache-2.0
// See heartbeat.h.
#include "worker/mirror/heartbeat.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <exception>
#include <utility>

#include "proto/base/log.h"
#include "worker/mirror/shape.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace

Result<Heartbeat> decode_heartbeat(std::string_view content) {
  try {
    const boost::json::value parsed = boost::json::parse(content);
    Heartbeat heartbeat;
    heartbeat.slot = parsed.at("slot").as_string();
    heartbeat.beat = parsed.at("beat").to_number<std::int64_t>();
    heartbeat.at = from_unix_ms(parsed.at("at").to_number<std::int64_t>());
    return heartbeat;
  } catch (const std::exception&) {
    return Status(Code::kCorruption, "malformed heartbeat message in the replication stream");
  }
}

Heartbeats::Heartbeats(asio::any_io_executor executor,
                       db::PgPool& pool,
                       const Clock& clock,
                       HeartbeatOptions options,
                       std::function<void(std::string)> on_change)
    : pool_(pool),
      clock_(clock),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      timer_(executor) {}

void Heartbeats::stop() {
  stopped_ = true;
  timer_.cancel();
}

asio::awaitable<void> Heartbeats::run(std::int64_t first) {
  next_beat_ = first;
  while (!stopped_) {
    co_await beat();
    if (stopped_) break;
    timer_.expires_after(options_.interval);
    co_await timer_.async_wait(kAwait);
  }
}

// Reads the shape first, so that the heartbeat proves freshness only if the shape is unchanged.
asio::awaitable<void> Heartbeats::beat() {
  const WallTime before = clock_.wall_now();
  const auto shape = co_await read_shape(pool_, options_.rules, options_.publication);
  if (stopped_) co_return;
  Status failure;
  if (!shape) {
    failure = shape.error();
  } else if (shape->text != options_.shape) {
    stopped_ = true;
    on_change_(describe_shape_change(options_.shape, shape->text));
    co_return;
  } else {
    verified_ = before;
    offset_ = shape->now - before;
    // Another mirror's serves as well; but a slot that will be resumed needs its own to be known.
    const bool seen_lately = clock_.boot_now() - last_seen_ < options_.interval * 9 / 10;
    if (seen_lately && options_.slot.empty()) co_return;
    db::PgParameters parameters;
    if (!options_.slot.empty()) {
      parameters.emplace_back(options_.slot);
      parameters.emplace_back(std::to_string(next_beat_));
    }
    const auto statement =
        options_.slot.empty() ? sql::mirror::kEmitHeartbeat : sql::mirror::kSendHeartbeat;
    const auto sent = co_await pool_.execute(std::string(statement), parameters);
    if (sent && sent->rows() == 0) {
      stopped_ = true;
      on_change_("PostgreSQL has forgotten a heartbeat, so it was restored from a backup");
      co_return;
    }
    if (sent) ++next_beat_;
    if (!sent) failure = sent.error();
  }
  if (failure.message() == told_) co_return;
  told_ = failure.message();
  if (!failure.ok()) log::warn("[mirror] could not send a heartbeat: " + told_);
}

std::optional<WallTime> Heartbeats::proves(const Heartbeat& heartbeat) {
  last_seen_ = clock_.boot_now();
  if (!verified_) return std::nullopt;
  return std::min(heartbeat.at - offset_, *verified_);
}

}  // namespace edged::mirror
