// SPDX-License-Identifier: Apache-2.0
// What one client of the Redis protocol has set up, and how its commands are executed: from memory
// at once, as one write of its reactor's pass, or over an overlay (transaction.h). Replies keep the
// order of the commands. No I/O: replies are appended to the connection's buffer. The connection's
// reactor only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvstore/operations/caller.h"
#include "kvstore/redis/command_table.h"
#include "kvstore/redis/face_context.h"
#include "kvstore/redis/pass.h"
#include "kvstore/redis/reply.h"
#include "kvstore/redis/reply_queue.h"
#include "kvstore/redis/transaction.h"

namespace edged::redis {

class Session final : public Pass::Waiter, public std::enable_shared_from_this<Session> {
 public:
  struct Peer {
    std::string address, own_address;  // for CLIENT LIST
    std::function<void()> progress;    // something was appended, or the next command may be taken
    std::function<void()> kill;        // what CLIENT KILL of another client calls, on any thread
  };

  // All outlive the session but `peer`'s functions, which close() drops.
  Session(FaceContext& face, ReactorParts& reactor, std::string& out, Peer peer);
  ~Session() override;

  // Once, before anything else.
  void begin();
  void trust_peer() { caller_.trust(); }
  // kLater: the command was not executed. The connection gives it again after progress() was
  // called.
  enum class Taken { kTaken, kLater };
  Taken take(Arguments args);
  // After the last command of those that arrived together, before the replies are sent.
  void end_turn();

  bool knows_peer() { return caller_.is_known(); }
  // The client is to be closed once its replies were sent.
  bool ending() const { return ending_; }
  // The pass has not ended: the connection must not send the replies yet.
  bool held_back() const { return held_back_; }
  bool idle() const { return replies_.empty(); }
  // A command is being executed, and the following commands wait for it.
  bool blocked() const { return blocked_; }
  // "Protocol error: invalid bulk length".
  void refuse_protocol(const std::string& why);
  std::size_t reply_bytes() const { return replies_.bytes(); }
  void close();

  // To be called now and then. Ends the connection if its token no longer allows what it listens
  // to.
  void review();
  // kOk if the client may listen to the channel, or publish there.
  Status judge_channel(std::string_view channel, bool pattern, bool publishes);

  void hold_back() override { held_back_ = true; }
  void go_on() override;

  // For transactions.
  operations::Caller& caller() { return caller_; }
  FaceContext& face() { return face_; }
  ReactorParts& reactor() { return reactor_; }
  bool closed() const { return closed_; }
  int protocol() const { return protocol_; }
  // Whether the client keeps what it reads, and is to be told of changes.
  bool tracks_reads();
  void keep_read(storage::NamespaceNumber in, std::string_view key);
  void keep_expiry(storage::NamespaceNumber in, std::string_view key, const storage::Entry& entry);
  // Opens the reply of a command that is answered later; no other command is taken before.
  std::uint64_t block();
  void unblock(std::uint64_t ticket, std::string_view reply);
  // Answers a command when the face reads changes, or why it cannot; `if_not` runs before that
  // error.
  void answer_when_watching(std::function<void()> if_not = {});
  // A callback for an operation; `body` runs on the reactor's thread, unless the session has
  // closed.
  template <class T>
  operations::Done<T> on_reactor(std::function<void(Result<T>)> body);
  // Makes the namespace of the database, with scope admin, and calls `then` with the outcome.
  void create_database(std::size_t database, std::function<void(Status)> then);

  // Handlers of the command table.
  void handle_auth(Arguments args, Reply& reply);
  void handle_hello(Arguments args, Reply& reply);
  void handle_ping(Arguments args, Reply& reply);
  void handle_echo(Arguments args, Reply& reply);
  void handle_quit(Arguments args, Reply& reply);
  void handle_reset(Arguments args, Reply& reply);
  void handle_select(Arguments args, Reply& reply);
  void handle_client(Arguments args, Reply& reply);
  void handle_command(Arguments args, Reply& reply);
  void handle_info(Arguments args, Reply& reply);
  void handle_config(Arguments args, Reply& reply);
  void handle_dbsize(Arguments args, Reply& reply);
  void handle_time(Arguments args, Reply& reply);
  void handle_wait(Arguments args, Reply& reply);
  void handle_waitaof(Arguments args, Reply& reply);
  void handle_scan(Arguments args, Reply& reply);
  void handle_keys(Arguments args, Reply& reply);
  void handle_randomkey(Arguments args, Reply& reply);
  void handle_multi(Arguments args, Reply& reply);
  void handle_exec(Arguments args, Reply& reply);
  void handle_discard(Arguments args, Reply& reply);
  void handle_watch(Arguments args, Reply& reply);
  void handle_unwatch(Arguments args, Reply& reply);
  void handle_edged_get(Arguments args, Reply& reply);
  void handle_edged_fresh(Arguments args, Reply& reply);
  void handle_subscribe(Arguments args, Reply& reply);
  void handle_unsubscribe(Arguments args, Reply& reply);
  void handle_publish(Arguments args, Reply& reply);
  void handle_pubsub(Arguments args, Reply& reply);
  void handle_flush(Arguments args, Reply& reply);

 private:
  // A write without reading before, and how its outcome is answered.
  struct PlannedWrite {
    enum class Kind { kSet, kSetNx, kSetMany, kDelete, kAdd, kExpire } kind = Kind::kSet;
    storage::Write write;
  };
  enum class Plan { kPlanned, kAnswered, kNotPlain };

  // What MULTI has queued.
  struct Multi {
    std::vector<Transaction::Command> commands;
    std::size_t database = 0;  // behind the SELECTs among them
    std::size_t bytes = 0;
    bool broken = false;  // a command was refused
  };
  struct Watched {
    std::size_t database = 0;
    Overlay::Name name;
    storage::Version version = 0;
    std::unique_ptr<storage::Watch> feed;  // null: the database has no namespace yet
  };

  // CLIENT TRACKING.
  struct TrackingState {
    enum class Caching { kUnsaid, kYes, kNo } caching = Caching::kUnsaid;  // of the next command
    bool on = false, broadcast = false, opt_in = false, opt_out = false, no_loop = false;
    std::uint64_t redirect = 0;
    std::vector<std::string> prefixes;
  };

  WallTime now() const { return face_.clock.wall_now(); }
  Reply tail_reply() { return Reply(replies_.tail(), protocol_); }
  storage::NamespaceNumber ns() { return reactor_.databases.numbers()[database_]; }

  void progress();

  // session.cc
  Taken execute(const CommandSpec& spec, Arguments args);
  bool get_at_once(Arguments args);
  void refuse_unknown(Arguments args);
  bool knows_enough(const CommandSpec& spec, Arguments args);
  void run_over_overlay(const CommandSpec& spec, Arguments args);

  // session_writes.cc
  Plan plan_write(const CommandSpec& spec, Arguments args, PlannedWrite& plan, Reply& reply);
  Plan plan_set(Arguments args, PlannedWrite& plan, Reply& reply);
  Plan plan_setex(const CommandSpec& spec, Arguments args, PlannedWrite& plan, Reply& reply);
  Plan plan_mset(Arguments args, PlannedWrite& plan);
  Plan plan_delete(Arguments args, PlannedWrite& plan);
  Plan plan_add(const CommandSpec& spec, Arguments args, PlannedWrite& plan, Reply& reply);
  Plan plan_expire(const CommandSpec& spec, Arguments args, PlannedWrite& plan, Reply& reply);
  void start_write(PlannedWrite plan, Arguments args);
  void finish_write(std::uint64_t ticket,
                    PlannedWrite::Kind kind,
                    const std::string& key,
                    const Pass::Written& written);
  void answer_write(PlannedWrite::Kind kind,
                    const std::string& key,
                    const std::vector<storage::WriteOutcome>& outcomes,
                    Reply& reply);
  bool is_being_written(std::string_view key) const;

  // session_multi.cc
  void queue_command(const CommandSpec& spec, Arguments args);
  bool watched_changed();

  // session_pubsub.cc
  bool listens() const { return !channels_.empty() || !patterns_.empty(); }
  std::shared_ptr<Inbox> make_inbox();
  void answer_subscription(std::string_view what, const std::string* channel, Reply& reply);
  void end_subscriptions();
  void take_messages();

  // session_tracking.cc
  static std::string read_tracking(Arguments options, TrackingState& state);
  void handle_tracking(Arguments args, Reply& reply);
  void handle_caching(Arguments args, Reply& reply);
  void handle_tracking_info(Arguments args, Reply& reply);
  void stop_tracking();
  void push_invalidation(const Message& message, Reply& reply);

  // session_server.cc
  void set_notifications(std::string_view letters, Reply& reply);

  // session_connection.cc
  static std::optional<std::size_t> database_of(std::string_view number);
  bool authenticate(std::string_view password, bool with_user, Reply& reply);
  void hello_answer(Reply& reply);
  void handle_client_name(Arguments args, Reply& reply);
  void handle_client_info(Arguments args, Reply& reply);
  void publish_info();

  // session_keyspace.cc
  struct Walk;
  bool is_mirrored(storage::NamespaceNumber number) const;
  void walk(std::shared_ptr<Walk> walk);
  void flush_next(std::shared_ptr<std::vector<storage::NamespaceNumber>> left,
                  std::uint64_t ticket);

  FaceContext& face_;
  ReactorParts& reactor_;
  ReplyQueue replies_;
  Peer peer_;
  operations::Caller caller_;
  int protocol_ = 2;
  std::size_t database_ = 0;
  std::uint64_t id_ = 0;
  std::shared_ptr<ClientInfo> info_;
  int failures_ = 0;  // of AUTH

  bool closed_ = false, ending_ = false, held_back_ = false;
  bool blocked_ = false;
  std::size_t writes_ = 0;            // under way in passes
  std::vector<std::size_t> written_;  // hashes of their keys; cleared when there are none
  std::optional<Multi> multi_;
  std::vector<Watched> watched_;
  std::set<std::string> channels_, patterns_;  // that it listens to
  std::shared_ptr<Inbox> inbox_;
  std::optional<TrackingState> tracking_;
  bool caching_set_ = false;    // by the command that was taken last
  std::uint64_t commands_ = 0;  // since end_turn()
  storage::Entry scratch_;
  operations::KeyCounts counts_;  // of gets since end_turn()
  std::chrono::steady_clock::time_point turn_start_;
};

template <class T>
operations::Done<T> Session::on_reactor(std::function<void(Result<T>)> body) {
  return [weak = weak_from_this(), life = reactor_.life, &io = reactor_.io, body](Result<T> got) {
    const std::shared_ptr<void> alive = life.lock();
    if (!alive) return;
    auto run = [weak, body, got = std::move(got)]() mutable {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      body(std::move(got));
      self->progress();
    };
    boost::asio::post(io, std::move(run));
  };
}

}  // namespace edged::redis
