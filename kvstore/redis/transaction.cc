// SPDX-License-Identifier: Apache-2.0
// See transaction.h.
#include "kvstore/redis/transaction.h"

#include <algorithm>
#include <utility>

#include "kvstore/redis/session.h"

namespace edged::redis {
namespace {

using storage::Entry;

constexpr std::size_t kKeysPerRead = 1000;

std::vector<std::string_view> views_of(const std::vector<std::string>& args) {
  return {args.begin(), args.end()};
}

// Of an outcome that says that a key is not as it was read.
bool is_overtaken(Code code) {
  return code == Code::kVersionMismatch || code == Code::kExists || code == Code::kNotFound;
}

}  // namespace

Transaction::Transaction(std::shared_ptr<Session> session, std::vector<Command> commands, Done done)
    : session_(std::move(session)),
      commands_(std::move(commands)),
      done_(std::move(done)),
      overlay_(session_->face().store) {}

void Transaction::make_exec(std::vector<WatchedVersion> watched) {
  is_exec_ = true;
  watched_ = std::move(watched);
}

void Transaction::start() {
  make_databases();
}

bool Transaction::needs(std::size_t database) const {
  return std::any_of(commands_.begin(), commands_.end(), [database](const Command& command) {
    if (!command.spec->has(kWrites)) return false;
    std::vector<CommandKey> keys;
    append_keys(*command.spec, views_of(command.args), command.database, keys);
    return std::any_of(keys.begin(), keys.end(), [database](const CommandKey& key) {
      return key.database == database;
    });
  });
}

// A database's namespace is made at the first write.
void Transaction::make_databases() {
  const DatabaseNumbers& numbers = session_->reactor().databases.numbers();
  for (std::size_t i = 0; i < kDatabases; ++i) {
    if (numbers[i] != 0 || !needs(i)) continue;
    return session_->create_database(i, [self = shared_from_this()](const Status& made) {
      if (!made.ok()) return self->fail(error_text(made));
      self->make_databases();
    });
  }
  load();
}

void Transaction::load() {
  overlay_.clear();
  missing_.clear();
  const DatabaseNumbers& numbers = session_->reactor().databases.numbers();
  for (const Command& command : commands_) {
    const std::vector<std::string_view> args = views_of(command.args);
    std::vector<CommandKey> keys;
    append_keys(*command.spec, args, command.database, keys);
    const bool keeps = command.spec->has(kReads) && session_->tracks_reads();
    for (const CommandKey& key : keys)
      load_key({numbers[key.database], std::string(key.key)}, keeps);
  }
  for (const WatchedVersion& one : watched_) load_key(one.name, false);
  std::sort(missing_.begin(), missing_.end());
  read_group();
}

// Reads the key from memory, or adds it to missing_. `keeps`: the client is to be told when the key
// changes.
void Transaction::load_key(const Overlay::Name& name, bool keeps) {
  if (keeps) session_->keep_read(name.ns, name.key);
  if (overlay_.holds(name)) return;
  overlay_.load(name, Status(Code::kNotFound, ""));
  if (name.ns == 0) return;
  Entry entry;
  const auto code =
      session_->face().operations.get_now(session_->caller(), name.ns, name.key, entry);
  if (!code) {
    missing_.push_back(name);
  } else if (*code == Code::kOk) {
    if (keeps) session_->keep_expiry(name.ns, name.key, entry);
    overlay_.load(name, std::move(entry));
  }
}

void Transaction::read_group() {
  if (overlay_.bytes() > kValuesBytesMax) {
    return fail("ERR the values of the keys are above 64 MiB together");
  }
  if (missing_.empty()) return run();
  group_.clear();
  // Takes keys of one namespace from the end. A key with an impossible length is read alone, so
  // that its error is not that of the others.
  const storage::NamespaceNumber ns = missing_.back().ns;
  const auto is_possible = [](const Overlay::Name& name) {
    return !name.key.empty() && name.key.size() <= storage::kKeyBytesMax;
  };
  do {
    group_.push_back(std::move(missing_.back()));
    missing_.pop_back();
  } while (!missing_.empty() && missing_.back().ns == ns && group_.size() < kKeysPerRead &&
           is_possible(group_.front()) && is_possible(missing_.back()));
  if (group_.size() == 1) {
    read_one();
  } else {
    read_many();
  }
}

void Transaction::read_one() {
  std::function<void(Result<Entry>)> then = [self = shared_from_this()](Result<Entry> read) {
    const Overlay::Name& name = self->group_.front();
    if (read && self->session_->tracks_reads())
      self->session_->keep_expiry(name.ns, name.key, *read);
    self->overlay_.load(name, std::move(read));
    self->read_group();
  };
  session_->face().operations.get(session_->caller(),
                                  group_.front().ns,
                                  group_.front().key,
                                  storage::kValueBytesMax,
                                  session_->on_reactor<Entry>(std::move(then)));
}

void Transaction::read_many() {
  using Entries = std::vector<Result<Entry>>;
  std::vector<std::string> keys;
  for (const Overlay::Name& name : group_) keys.push_back(name.key);
  std::function<void(Result<Entries>)> then = [self = shared_from_this()](Result<Entries> read) {
    for (std::size_t i = 0; i < self->group_.size(); ++i) {
      self->overlay_.load(self->group_[i],
                          read ? std::move((*read)[i]) : Result<Entry>(read.error()));
    }
    self->read_group();
  };
  session_->face().operations.get_many(session_->caller(),
                                       group_.front().ns,
                                       std::move(keys),
                                       kValuesBytesMax,
                                       session_->on_reactor<Entries>(std::move(then)));
}

bool Transaction::watched_changed() const {
  return std::any_of(watched_.begin(), watched_.end(), [this](const WatchedVersion& one) {
    return overlay_.version_read(one.name) != one.version;
  });
}

void Transaction::run_one(const Command& command, WallTime now, Reply& reply) {
  const std::vector<std::string_view> args = views_of(command.args);
  if (command.spec->handle == &Session::handle_publish) {
    // The message is sent when the EXEC has succeeded, and only once even if the EXEC is executed
    // again.
    const Status allowed = session_->judge_channel(args[1], false, true);
    if (!allowed.ok()) return reply.error(error_text(allowed));
    messages_.emplace_back(args[1], args[2]);
    return reply.integer(static_cast<std::int64_t>(session_->face().pub_sub.count(args[1])));
  }
  if (command.spec->handle != nullptr) {
    return (*session_.*command.spec->handle)(args, reply);
  }
  const DatabaseNumbers& numbers = session_->reactor().databases.numbers();
  CommandContext context{
      command.spec->name, args, overlay_, numbers[command.database], numbers, now, reply};
  command.spec->run(context);
}

void Transaction::run() {
  if (on_loaded_) std::exchange(on_loaded_, nullptr)(overlay_);
  replies_.clear();
  messages_.clear();
  Reply reply(replies_, session_->protocol());
  if (watched_changed()) {
    reply.null_array();
    return finish(std::move(replies_));
  }
  if (is_exec_) reply.array(commands_.size());
  const WallTime now = session_->face().clock.wall_now();
  for (const Command& command : commands_) run_one(command, now, reply);
  if (!overlay_.changed()) return finish(std::move(replies_));
  write();
}

void Transaction::write() {
  storage::Write write = overlay_.to_write();
  write.durability = session_->face().options.durability;
  if (write.operations.size() > storage::kOperationsPerWriteMax) {
    return fail("ERR more than 10000 keys in one write");
  }
  session_->reactor().pass.add(
      session_->caller(),
      std::move(write),
      session_,
      [self = shared_from_this()](const Pass::Written& written) { self->on_written(written); });
}

void Transaction::on_written(const Pass::Written& written) {
  if (session_->closed()) return;
  if (!written) return fail(error_text(written.error()));
  bool overtaken = false;
  const storage::WriteOutcome* failed = nullptr;
  for (const storage::WriteOutcome& outcome : *written) {
    overtaken = overtaken || is_overtaken(outcome.code);
    if (outcome.code == Code::kOk) continue;
    if (failed == nullptr || failed->code == Code::kConflict) failed = &outcome;
  }
  if (failed == nullptr) return finish(std::move(replies_));
  if (!overtaken) return fail(error_text({failed->code, failed->message}));
  if (++attempts_ >= kAttemptsMax) {
    return fail("TRYAGAIN the keys were changed by other clients at each of 100 attempts");
  }
  load();
}

void Transaction::fail(const std::string& error) {
  replies_.clear();
  messages_.clear();
  Reply(replies_, session_->protocol())
      .error(is_exec_ ? "EXECABORT Transaction discarded because of: " + error : error);
  finish(std::move(replies_));
}

void Transaction::finish(std::string replies) {
  for (const auto& [channel, payload] : messages_) {
    session_->face().pub_sub.publish(channel, payload);
  }
  if (!session_->closed()) done_(std::move(replies));
}

}  // namespace edged::redis
