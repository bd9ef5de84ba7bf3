// SPDX-License-Identifier: Apache-2.0
// MULTI, EXEC, DISCARD, WATCH and UNWATCH. A watched key is compared by its version, and its
// changes are read from the feed, so that a key that was made and deleted again is noticed too.
#include <algorithm>

#include "kvstore/redis/session.h"
#include "kvstore/redis/transaction.h"

namespace edged::redis {
namespace {

constexpr std::size_t kQueuedMax = 10'000;
constexpr std::size_t kQueuedBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kWatchedMax = 1000;
constexpr std::size_t kChangesPerRead = 1000;

// True if the feed tells of a change of the key, or cannot tell any more.
bool feed_tells_of(storage::Watch& feed, const std::string& key) {
  for (;;) {
    const Result<storage::Watch::Changes> next = feed.next(kChangesPerRead);
    if (!next) return true;
    for (const storage::Change& change : next->changes) {
      if (change.kind == storage::ChangeKind::kClear || change.key == key) return true;
    }
    if (!next->more) return false;
  }
}

}  // namespace

// Between MULTI and EXEC: the reply is QUEUED, or why not, and then EXEC does nothing.
void Session::queue_command(const CommandSpec& spec, Arguments args) {
  Reply reply = tail_reply();
  const bool tracking = spec.handle == &Session::handle_client && args.size() > 1 &&
                        equals_ignoring_case(args[1], "tracking");
  if (spec.has(kNotInMulti) || tracking) {
    multi_->broken = true;
    std::string text = "ERR Command '";
    text.append(spec.name).append("' is not allowed inside a transaction");
    return reply.error(text);
  }
  for (const std::string_view one : args) multi_->bytes += one.size() + sizeof(std::string);
  if (multi_->commands.size() >= kQueuedMax || multi_->bytes > kQueuedBytesMax) {
    multi_->broken = true;
    return reply.error("ERR a transaction has at most 10000 commands and 16 MiB");
  }
  multi_->commands.push_back({&spec, {args.begin(), args.end()}, multi_->database});
  if (spec.handle == &Session::handle_select) {
    const auto database = database_of(args[1]);
    if (database) multi_->database = *database;
  }
  reply.simple("QUEUED");
}

void Session::handle_multi(Arguments /*args*/, Reply& reply) {
  if (multi_) return reply.error("ERR MULTI calls can not be nested");
  multi_.emplace();
  multi_->database = database_;
  reply.ok();
}

void Session::handle_discard(Arguments /*args*/, Reply& reply) {
  if (!multi_) return reply.error("ERR DISCARD without MULTI");
  multi_.reset();
  watched_.clear();
  reply.ok();
}

void Session::handle_unwatch(Arguments /*args*/, Reply& reply) {
  watched_.clear();
  reply.ok();
}

void Session::handle_watch(Arguments args, Reply& reply) {
  if (multi_) return reply.error("ERR WATCH inside MULTI is not allowed");
  if (watched_.size() + args.size() - 1 > kWatchedMax) {
    return reply.error("ERR a client watches at most 1000 keys");
  }
  // The feed is opened before the version is read, so that no change between the two is missed.
  const storage::NamespaceNumber in = ns();
  const std::size_t first = watched_.size();
  for (const std::string_view key : args.subspan(1)) {
    Watched watched{database_, {in, std::string(key)}, 0, nullptr};
    if (in != 0) {
      auto feed = face_.operations.watch(caller_, {in, std::string(key), std::nullopt}, [] {});
      if (!feed) {
        watched_.resize(first);
        return reply.error(error_text(feed.error()));
      }
      watched.feed = *std::move(feed);
      (void)watched.feed->next(0);
    }
    watched_.push_back(std::move(watched));
  }
  std::vector<Transaction::Command> commands;
  commands.push_back({&command_to_watch(), {args.begin(), args.end()}, database_});
  const std::uint64_t ticket = block();
  const auto transaction = std::make_shared<Transaction>(
      shared_from_this(), std::move(commands), [this, ticket](const std::string& answer) {
        unblock(ticket, answer);
      });
  transaction->on_loaded([this, first](Overlay& overlay) {
    for (std::size_t i = first; i < watched_.size(); ++i) {
      watched_[i].version = overlay.version_read(watched_[i].name);
    }
  });
  transaction->start();
}

// A database whose namespace was created after WATCH counts as changed.
bool Session::watched_changed() {
  const DatabaseNumbers& numbers = reactor_.databases.numbers();
  return std::any_of(watched_.begin(), watched_.end(), [&](const Watched& one) {
    return numbers[one.database] != one.name.ns ||
           (one.feed && feed_tells_of(*one.feed, one.name.key));
  });
}

void Session::handle_exec(Arguments /*args*/, Reply& reply) {
  if (!multi_) return reply.error("ERR EXEC without MULTI");
  Multi multi = std::move(*multi_);
  multi_.reset();
  if (multi.broken) {
    watched_.clear();
    return reply.error("EXECABORT Transaction discarded because of previous errors.");
  }
  if (watched_changed()) {
    watched_.clear();
    return reply.null_array();
  }
  if (multi.commands.empty()) {
    watched_.clear();
    return reply.array(0);
  }
  std::vector<Transaction::WatchedVersion> versions;
  for (const Watched& one : watched_) versions.push_back({one.name, one.version});
  watched_.clear();
  const std::uint64_t ticket = block();
  const auto transaction = std::make_shared<Transaction>(
      shared_from_this(), std::move(multi.commands), [this, ticket](const std::string& answer) {
        unblock(ticket, answer);
      });
  transaction->make_exec(std::move(versions));
  transaction->start();
}

}  // namespace edged::redis
