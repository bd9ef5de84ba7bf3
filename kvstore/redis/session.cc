// SPDX-License-Identifier: Apache-2.0
// See session.h: taking commands. Writes: session_writes.cc; the client itself:
// session_connection.cc; scans and databases: session_keyspace.cc.
#include "kvstore/redis/session.h"

#include <algorithm>

#include "kvstore/redis/change_watcher.h"
#include "kvstore/redis/transaction.h"

namespace edged::redis {
namespace {

using storage::Entry;

// What a session keeps for its next GET.
constexpr std::size_t kScratchBytesMax = 1024;
constexpr std::size_t kShownArgumentBytes = 128;

bool is_get(Arguments args) {
  return args.size() == 2 && args[0].size() == 3 && equals_ignoring_case(args[0], "get");
}

}  // namespace

Session::Session(FaceContext& face, ReactorParts& reactor, std::string& out, Peer peer)
    : face_(face),
      reactor_(reactor),
      replies_(out),
      peer_(std::move(peer)),
      caller_(face.operations.context(operations::Face::kRedis)),
      info_(std::make_shared<ClientInfo>()) {
  caller_.set_owner(this);
  info_->address = peer_.address;
  info_->own_address = peer_.own_address;
  info_->kill = std::move(peer_.kill);
  info_->connected_at_s = to_unix_ms(now()) / 1000;
  info_->active_at_s = info_->connected_at_s;
}

void Session::begin() {
  info_->inbox = inbox_ = make_inbox();
  face_.clients.add(info_);
  id_ = info_->id;
  ++face_.clients.connections;
}

Session::~Session() {
  close();
}

void Session::close() {
  if (closed_) return;
  closed_ = true;
  peer_.progress = nullptr;
  end_subscriptions();
  stop_tracking();
  watched_.clear();
  face_.clients.remove(id_);
}

void Session::go_on() {
  held_back_ = false;
  progress();
}

void Session::progress() {
  const auto progress = peer_.progress;  // a copy: it may close this session
  if (!closed_ && progress) progress();
}

std::uint64_t Session::block() {
  blocked_ = true;
  return replies_.open();
}

void Session::unblock(std::uint64_t ticket, std::string_view reply) {
  blocked_ = false;
  replies_.fill(ticket, reply);
}

void Session::answer_when_watching(std::function<void()> if_not) {
  const std::uint64_t ticket = block();
  std::function<void(Result<operations::Nothing>)> then =
      [this, ticket, if_not = std::move(if_not)](Result<operations::Nothing> begun) {
        std::string text;
        Reply answer(text, protocol_);
        if (begun) {
          answer.ok();
        } else {
          if (if_not) if_not();
          answer.error(error_text(begun.error()));
        }
        unblock(ticket, text);
      };
  face_.watcher().want(on_reactor<operations::Nothing>(std::move(then)));
}

void Session::refuse_protocol(const std::string& why) {
  tail_reply().error("ERR " + why);
}

void Session::end_turn() {
  if (commands_ > 0) {
    face_.clients.commands.fetch_add(std::exchange(commands_, 0), std::memory_order_relaxed);
    info_->active_at_s.store(to_unix_ms(now()) / 1000, std::memory_order_relaxed);
  }
  if (counts_.hits + counts_.misses == 0) return;
  face_.operations.count_gets(operations::Face::kRedis, counts_, turn_start_);
  counts_ = {};
  if (scratch_.value.capacity() > kScratchBytesMax) scratch_ = {};
}

bool Session::get_at_once(Arguments args) {
  if (args[1].size() > storage::kKeyBytesMax || (writes_ > 0 && is_being_written(args[1]))) {
    return false;
  }
  const storage::NamespaceNumber in = ns();
  if (in == 0) return false;
  if (counts_.hits + counts_.misses == 0) turn_start_ = std::chrono::steady_clock::now();
  const bool tracks = tracks_reads();
  if (tracks) keep_read(in, args[1]);
  const auto code = face_.operations.get_now(caller_, in, args[1], scratch_);
  if (!code) return false;
  if (tracks && *code == Code::kOk) keep_expiry(in, args[1], scratch_);
  Reply reply = tail_reply();
  if (*code == Code::kOk) {
    ++counts_.hits;
    reply.bulk(scratch_.value);
  } else {
    ++counts_.misses;
    reply.null();
  }
  return true;
}

Session::Taken Session::take(Arguments args) {
  if (blocked_) return Taken::kLater;
  ++commands_;
  const bool restricted = protocol_ == 2 && listens();
  const bool plain = !multi_ && !restricted && !caching_set_;
  if (plain && is_get(args) && get_at_once(args)) return Taken::kTaken;
  const CommandSpec* const spec = find_command(args[0]);
  if (spec == nullptr) {
    refuse_unknown(args);
    if (multi_) multi_->broken = true;
    return Taken::kTaken;
  }
  if (!knows_enough(*spec, args)) {
    if (multi_) multi_->broken = true;
    return Taken::kTaken;
  }
  if (restricted && !spec->has(kWhileSubscribed)) {
    std::string text = "ERR Can't execute '";
    text.append(spec->name)
        .append(
            "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
            "context");
    tail_reply().error(text);
    return Taken::kTaken;
  }
  if (multi_ && !spec->has(kRunsInMulti)) {
    queue_command(*spec, args);
    return Taken::kTaken;
  }
  const bool said = std::exchange(caching_set_, false);
  const Taken taken = execute(*spec, args);
  if (taken == Taken::kLater) {
    --commands_;
    caching_set_ = said;
  } else if (tracking_ && !caching_set_ && !multi_) {
    tracking_->caching = TrackingState::Caching::kUnsaid;
  }
  return taken;
}

void Session::refuse_unknown(Arguments args) {
  std::string text = "ERR unknown command '";
  text.append(args[0].substr(0, kShownArgumentBytes));
  std::string lower(args[0].substr(0, kShownArgumentBytes));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  const std::string_view family = missing_family(lower);
  if (!family.empty()) {
    text.append("': this server has no ").append(family);
  } else {
    text.append("', with args beginning with: ");
    for (const std::string_view one : args.subspan(1)) {
      if (text.size() > 2 * kShownArgumentBytes) break;
      text.append("'").append(one.substr(0, kShownArgumentBytes)).append("' ");
    }
  }
  tail_reply().error(text);
}

// False: answered.
bool Session::knows_enough(const CommandSpec& spec, Arguments args) {
  std::string wrong;
  if (!fits(spec.arity, args)) {
    wrong = "ERR wrong number of arguments for '";
    wrong.append(spec.name).append("' command");
  } else if (!spec.has(kPassWrite)) {
    wrong = check_subcommand(spec, args);
  }
  if (!wrong.empty()) {
    tail_reply().error(wrong);
    return false;
  }
  if (spec.has(kWithoutAuth) || caller_.is_known()) return true;
  tail_reply().error("NOAUTH Authentication required.");
  return false;
}

Session::Taken Session::execute(const CommandSpec& spec, Arguments args) {
  info_->last_command.store(spec.name.data(), std::memory_order_relaxed);
  if (spec.has(kPassWrite) && ns() != 0) {
    PlannedWrite plan;
    Reply reply = tail_reply();
    switch (plan_write(spec, args, plan, reply)) {
      case Plan::kPlanned:
        start_write(std::move(plan), args);
        return Taken::kTaken;
      case Plan::kAnswered:
        return Taken::kTaken;
      case Plan::kNotPlain:
        break;
    }
  }
  // Behind the writes that this client has asked for.
  if (writes_ > 0) return Taken::kLater;
  if (spec.handle != nullptr) {
    Reply reply = tail_reply();
    (this->*spec.handle)(args, reply);
  } else {
    run_over_overlay(spec, args);
  }
  return Taken::kTaken;
}

void Session::run_over_overlay(const CommandSpec& spec, Arguments args) {
  std::vector<Transaction::Command> commands;
  commands.push_back({&spec, {args.begin(), args.end()}, database_});
  const std::uint64_t ticket = block();
  auto transaction = std::make_shared<Transaction>(
      shared_from_this(), std::move(commands), [this, ticket](std::string reply) {
        unblock(ticket, reply);
      });
  transaction->start();
}

}  // namespace edged::redis
