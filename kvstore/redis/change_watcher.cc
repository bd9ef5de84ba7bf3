// SPDX-License-Identifier: Apache-2.0
// See change_watcher.h.
#include "kvstore/redis/change_watcher.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

namespace edged::redis {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kPeriod{100};
constexpr std::size_t kChangesPerRead = 1000;

struct Letter {
  char letter;
  unsigned bits;
};
constexpr unsigned kAllEvents =
    NotificationFlags::kGeneric | NotificationFlags::kStrings | NotificationFlags::kExpired;
// Letters of types that are not there are accepted and mean nothing.
constexpr Letter kLetters[] = {{'K', NotificationFlags::kKeyspace},
                               {'E', NotificationFlags::kKeyevent},
                               {'A', kAllEvents},
                               {'g', NotificationFlags::kGeneric},
                               {'$', NotificationFlags::kStrings},
                               {'x', NotificationFlags::kExpired},
                               {'l', 0},
                               {'s', 0},
                               {'h', 0},
                               {'z', 0},
                               {'t', 0},
                               {'d', 0},
                               {'m', 0},
                               {'n', 0},
                               {'e', 0}};

}  // namespace

bool NotificationFlags::set(std::string_view letters) {
  unsigned wanted = 0;
  for (const char c : letters) {
    const auto* const found = std::find_if(std::begin(kLetters),
                                           std::end(kLetters),
                                           [c](const Letter& one) { return one.letter == c; });
    if (found == std::end(kLetters)) return false;
    wanted |= found->bits;
  }
  bits = wanted;
  return true;
}

std::string NotificationFlags::text() const {
  const unsigned set = bits;
  std::string letters;
  if ((set & kAllEvents) == kAllEvents) {
    letters = "A";
  } else {
    if ((set & kGeneric) != 0) letters += 'g';
    if ((set & kStrings) != 0) letters += '$';
    if ((set & kExpired) != 0) letters += 'x';
  }
  if ((set & kKeyspace) != 0) letters += 'K';
  if ((set & kKeyevent) != 0) letters += 'E';
  return letters;
}

ChangeWatcher::ChangeWatcher(asio::io_context& io,
                             std::weak_ptr<void> life,
                             operations::Operations& operations,
                             const storage::Store& store,
                             const Clock& clock,
                             Databases& databases,
                             Tracking& tracking,
                             PubSub& pub_sub,
                             NotificationFlags& flags)
    : io_(io),
      life_(std::move(life)),
      operations_(operations),
      store_(store),
      clock_(clock),
      databases_(databases),
      tracking_(tracking),
      pub_sub_(pub_sub),
      flags_(flags),
      timer_(io) {}

void ChangeWatcher::want(operations::Done<operations::Nothing> done) {
  const std::shared_ptr<void> alive = life_.lock();
  if (!alive) return;
  asio::post(io_, [weak = weak_from_this(), done = std::move(done)] {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    const Status opened = self->follow_databases();
    if (opened.ok() && !std::exchange(self->started_, true)) self->wait();
    done(opened.ok() ? Result<operations::Nothing>(operations::Nothing{}) : opened);
  });
}

void ChangeWatcher::close() {
  closed_ = true;
  timer_.cancel();
  feeds_ = {};
}

void ChangeWatcher::wake() {
  if (woken_.exchange(true)) return;
  const std::shared_ptr<void> alive = life_.lock();
  if (!alive) return;
  asio::post(io_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && !self->closed_) self->read_all();
  });
}

void ChangeWatcher::wait() {
  timer_.expires_after(kPeriod);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->closed_) return;
    self->read_all();
    self->look_at_mirrors();
    self->tracking_.sweep(self->clock_.wall_now());
    self->wait();
  });
}

Status ChangeWatcher::open(Feed& feed) {
  operations::Caller caller = operations_.trusted(operations::Face::kRedis);
  auto watch = operations_.watch(caller, {feed.ns, "", std::nullopt}, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->wake();
  });
  if (!watch) return watch.error();
  feed.watch = *std::move(watch);
  (void)feed.watch->next(0);
  return {};
}

// Opens a feed for each database that has a namespace. A key that a client read before its feed was
// open may have changed without the feed telling it, so tracking is told that the whole namespace
// may have changed. A feed that cannot be opened is tried again at the next call.
Status ChangeWatcher::follow_databases() {
  Status status;
  const DatabaseNumbers& numbers = databases_.numbers();
  for (std::size_t i = 0; i < kDatabases; ++i) {
    Feed& feed = feeds_[i];
    if (feed.ns != numbers[i]) {
      feed.watch.reset();
      feed.ns = numbers[i];
    }
    if (feed.ns == 0 || feed.watch) continue;
    Status opened = open(feed);
    if (!opened.ok()) status = std::move(opened);
    if (started_) tracking_.lost(feed.ns);
  }
  return status;
}

void ChangeWatcher::read_all() {
  woken_ = false;
  (void)follow_databases();
  bool more = false;
  for (std::size_t i = 0; i < kDatabases; ++i) more = read(i, feeds_[i]) || more;
  if (more) wake();
}

bool ChangeWatcher::read(std::size_t database, Feed& feed) {
  if (!feed.watch) return false;
  const Result<storage::Watch::Changes> next = feed.watch->next(kChangesPerRead);
  if (!next) {
    feed.watch.reset();
    tracking_.lost(feed.ns);
    (void)follow_databases();
    return false;
  }
  for (const storage::Change& change : next->changes) tell(database, change);
  return next->more || next->changes.size() == kChangesPerRead;
}

void ChangeWatcher::tell(std::size_t database, const storage::Change& change) {
  if (change.kind == storage::ChangeKind::kClear) return tracking_.lost(change.ns);
  tracking_.changed(change.ns, change.key, change.expires_at);
  const unsigned bits = flags_.bits;
  if (change.kind == storage::ChangeKind::kPut && (bits & NotificationFlags::kStrings) != 0) {
    notify(database, "set", change.key);
  } else if (change.kind == storage::ChangeKind::kDelete &&
             (bits & NotificationFlags::kGeneric) != 0) {
    notify(database, "del", change.key);
  }
}

void ChangeWatcher::notify(std::size_t database, std::string_view event, const std::string& key) {
  const unsigned bits = flags_.bits;
  const std::string number = "@" + std::to_string(database) + "__:";
  if ((bits & NotificationFlags::kKeyspace) != 0) {
    pub_sub_.publish("__keyspace" + number + key, event);
  }
  if ((bits & NotificationFlags::kKeyevent) != 0) {
    std::string channel = "__keyevent" + number;
    channel.append(event);
    pub_sub_.publish(channel, key);
  }
}

// While a mirror is behind its bound, changes of its rows are not noticed. So the clients are told
// to drop them.
void ChangeWatcher::look_at_mirrors() {
  if (tracking_.empty()) return;
  std::vector<storage::NamespaceNumber> stale;
  for (const storage::MirrorStatus& mirror : store_.mirrors()) {
    const bool behind =
        std::any_of(mirror.rules.begin(), mirror.rules.end(), [&](const storage::MirrorRule& rule) {
          return !rule.loaded ||
                 (rule.ttl.count() > 0 && (!mirror.fresh_as_of || mirror.age > rule.ttl));
        });
    if (behind) stale.push_back(mirror.ns);
  }
  for (const storage::NamespaceNumber ns : stale) {
    const bool known = std::find(stale_.begin(), stale_.end(), ns) != stale_.end();
    const auto& numbers = databases_.numbers();
    if (!known && std::find(numbers.begin(), numbers.end(), ns) != numbers.end())
      tracking_.lost(ns);
  }
  stale_ = std::move(stale);
}

}  // namespace edged::redis
