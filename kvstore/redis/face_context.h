// SPDX-License-Identifier: Apache-2.0
// What the sessions of the Redis face share. Everything outlives them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "kvstore/operations/operations.h"
#include "kvstore/redis/client_list.h"
#include "kvstore/redis/databases.h"
#include "kvstore/redis/options.h"
#include "kvstore/redis/pass.h"
#include "kvstore/redis/pub_sub.h"
#include "kvstore/redis/scan_cursors.h"
#include "kvstore/redis/tracking.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::redis {

class ChangeWatcher;
struct NotificationFlags;

// What all reactors share. Each member's class says which threads may use it.
struct FaceContext {
  operations::Operations& operations;
  const storage::Store& store;
  const Clock& clock;
  const RedisOptions& options;
  ClientList& clients;
  ScanCursors& cursors;
  PubSub& pub_sub;
  Tracking& tracking;
  NotificationFlags& notifications;
  std::chrono::milliseconds started_at{};  // boot time
  std::uint16_t port = 0;
  std::shared_ptr<ChangeWatcher> change_watcher{};  // while the face runs

  ChangeWatcher& watcher() const { return *change_watcher; }
};

// What the sessions of one reactor share. The reactor's thread only.
struct ReactorParts {
  boost::asio::io_context& io;
  Pass& pass;
  Databases& databases;
  std::weak_ptr<void> life;  // owns all of this
};

}  // namespace edged::redis
