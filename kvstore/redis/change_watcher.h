// SPDX-License-Identifier: Apache-2.0
// Reads the store's feed of changes, and tells Tracking and the listeners to keyspace
// notifications. Reading begins with the first call of want(). One reactor's thread; want() may be
// called on any.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/operations/operations.h"
#include "kvstore/redis/databases.h"
#include "kvstore/redis/pub_sub.h"
#include "kvstore/redis/tracking.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::redis {

// notify-keyspace-events of Redis: which channels, and of which events. Any thread.
struct NotificationFlags {
  static constexpr unsigned kKeyspace = 1, kKeyevent = 2, kGeneric = 4, kStrings = 8, kExpired = 16;
  std::atomic<unsigned> bits{0};

  // "KEA", "Kg$x". False: a letter is unknown.
  bool set(std::string_view letters);
  std::string text() const;
};

class ChangeWatcher : public std::enable_shared_from_this<ChangeWatcher> {
 public:
  // What is given by reference outlives the watcher. `life` owns the io_context.
  ChangeWatcher(boost::asio::io_context& io,
                std::weak_ptr<void> life,
                operations::Operations& operations,
                const storage::Store& store,
                const Clock& clock,
                Databases& databases,
                Tracking& tracking,
                PubSub& pub_sub,
                NotificationFlags& flags);

  // Reads changes from now on, and answers when it does. Any thread. Errors: kBusy: the store has
  // too many watches.
  void want(operations::Done<operations::Nothing> done);
  // On the reactor's thread.
  void close();

 private:
  struct Feed {
    storage::NamespaceNumber ns = 0;
    std::unique_ptr<storage::Watch> watch;  // null: to be opened again
  };

  void wait();
  Status follow_databases();
  Status open(Feed& feed);
  void wake();
  void read_all();
  bool read(std::size_t database, Feed& feed);
  void tell(std::size_t database, const storage::Change& change);
  void notify(std::size_t database, std::string_view event, const std::string& key);
  void look_at_mirrors();

  boost::asio::io_context& io_;
  const std::weak_ptr<void> life_;
  operations::Operations& operations_;
  const storage::Store& store_;
  const Clock& clock_;
  Databases& databases_;
  Tracking& tracking_;
  PubSub& pub_sub_;
  NotificationFlags& flags_;
  boost::asio::steady_timer timer_;
  std::array<Feed, kDatabases> feeds_;
  std::vector<storage::NamespaceNumber>
      stale_;  // mirrored namespaces that were behind at the last look
  std::atomic<bool> woken_{false};
  bool started_ = false, closed_ = false;
};

}  // namespace edged::redis
