// SPDX-License-Identifier: Apache-2.0
// What became of notifications, from the run that found them to the transport's answer. Kept for 90
// days at most (jobs.class-monitor.history). Executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"

namespace edged::class_monitor {

// Which notifications: one of the three, the others are empty.
struct TimelineQuery {
  std::string address;
  std::string watch;  // a UUID
  std::string section;
  int limit = 20;  // the newest
};

// Of edged.mail_events.
struct TimelineEvent {
  WallTime at{};
  std::string event;  // "retry", "accepted", …
  std::string detail, transport, provider_id;
};

struct TimelineEntry {
  std::string key;
  std::string recipient;
  // Of a notification; a mail that no run wrote has events alone.
  struct Notification {
    std::string type, class_nbr, term, watch;
    std::int64_t run_id = 0;
    std::optional<std::int64_t> message_id;  // in queue `email`; absent: not claimed
    std::string status;                      // "pending", "sent", "dropped", "dead"
    std::string reason;
    WallTime created_at{}, valid_until{};
  };
  std::optional<Notification> notification;
  std::vector<TimelineEvent> events;
};

// What keeps mails from an address now.
struct AddressState {
  std::string suppression;  // why nothing is sent to it; empty: it is not suppressed
  std::string profile;      // what the user's profile says against mails; empty: nothing
  std::int64_t users = 0, watches = 0;
};

// `pool` outlives the call. Errors: those of PgPool::execute; kInvalidArgument (no UUID).
boost::asio::awaitable<Result<std::vector<TimelineEntry>>> read_timeline(db::PgPool& pool,
                                                                         TimelineQuery query);
boost::asio::awaitable<Result<AddressState>> read_address_state(db::PgPool& pool,
                                                                std::string address);

}  // namespace edged::class_monitor
