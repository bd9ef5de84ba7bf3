// SPDX-License-Identifier: Apache-2.0
// The short way of writes that depend on nothing that was read: one Write of the reactor's pass,
// while the client's next commands are taken. What is not plain goes over an overlay.
#include <algorithm>
#include <functional>

#include "kvstore/redis/key_commands.h"
#include "kvstore/redis/session.h"
#include "kvstore/redis/set_options.h"
#include "kvstore/redis/string_commands.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

using storage::WriteOutcome;

// A client's writes that may wait in one pass.
constexpr std::size_t kWritesUnderWayMax = 128;

// The first outcome that is a real failure, and not only that a condition on the key did not hold.
const WriteOutcome* find_failure(const std::vector<WriteOutcome>& outcomes) {
  const auto found = std::find_if(outcomes.begin(), outcomes.end(), [](const auto& one) {
    return one.code != Code::kOk && one.code != Code::kNotFound && one.code != Code::kExists;
  });
  return found == outcomes.end() ? nullptr : &*found;
}

std::size_t hash_of(std::string_view key) {
  return std::hash<std::string_view>()(key);
}

storage::Put put_of(storage::NamespaceNumber ns, std::string_view key, std::string_view value) {
  storage::Put put;
  put.ns = ns;
  put.key = key;
  put.value = value;
  return put;
}

}  // namespace

Session::Plan Session::plan_write(const CommandSpec& spec,
                                  Arguments args,
                                  PlannedWrite& plan,
                                  Reply& reply) {
  const std::string_view key = args[1];
  if (writes_ >= kWritesUnderWayMax || key.empty() || key.size() > storage::kKeyBytesMax) {
    return Plan::kNotPlain;
  }
  plan.write.durability = face_.options.durability;
  if (spec.run == run_set) return plan_set(args, plan, reply);
  if (spec.run == run_del) return plan_delete(args, plan);
  if (spec.run == run_incr) return plan_add(spec, args, plan, reply);
  if (spec.run == run_expire) return plan_expire(spec, args, plan, reply);
  if (spec.run == run_setex) return plan_setex(spec, args, plan, reply);
  if (spec.run == run_mset) return plan_mset(args, plan);
  if (spec.run == run_setnx) {
    plan.kind = PlannedWrite::Kind::kSetNx;
    storage::Put put = put_of(ns(), key, args[2]);
    put.condition = storage::Condition::kAbsent;
    plan.write.operations.emplace_back(std::move(put));
    return Plan::kPlanned;
  }
  return Plan::kNotPlain;
}

Session::Plan Session::plan_set(Arguments args, PlannedWrite& plan, Reply& reply) {
  storage::Put put = put_of(ns(), args[1], args[2]);
  if (args.size() > 3) {
    SetOptions options;
    const std::string failure = read_set_options(args.subspan(3), false, "set", now(), options);
    if (!failure.empty()) {
      reply.error(failure);
      return Plan::kAnswered;
    }
    if (options.get || options.keep_ttl || options.if_equal) return Plan::kNotPlain;
    put.ttl = options.ttl;
    if (!options.ttl) put.expires_at = options.expires_at;
    if (options.absent_only) put.condition = storage::Condition::kAbsent;
    if (options.present_only) put.condition = storage::Condition::kPresent;
  }
  plan.kind = PlannedWrite::Kind::kSet;
  plan.write.operations.emplace_back(std::move(put));
  return Plan::kPlanned;
}

Session::Plan Session::plan_setex(const CommandSpec& spec,
                                  Arguments args,
                                  PlannedWrite& plan,
                                  Reply& reply) {
  const bool seconds = spec.name == "setex";
  const auto amount = to_integer(args[2]);
  if (!amount || *amount <= 0 || !expiry_of(*amount, seconds, false, now())) {
    reply.error(amount ? invalid_expire(spec.name) : std::string(kNotInteger));
    return Plan::kAnswered;
  }
  plan.kind = PlannedWrite::Kind::kSet;
  storage::Put put = put_of(ns(), args[1], args[3]);
  put.ttl = seconds ? std::chrono::seconds(*amount) : std::chrono::milliseconds(*amount);
  plan.write.operations.emplace_back(std::move(put));
  return Plan::kPlanned;
}

Session::Plan Session::plan_mset(Arguments args, PlannedWrite& plan) {
  if (args.size() % 2 == 0 || args.size() > 2 * kWritesUnderWayMax) return Plan::kNotPlain;
  for (std::size_t i = 1; i < args.size(); i += 2) {
    if (args[i].empty() || args[i].size() > storage::kKeyBytesMax) return Plan::kNotPlain;
    plan.write.operations.emplace_back(put_of(ns(), args[i], args[i + 1]));
  }
  plan.kind = PlannedWrite::Kind::kSetMany;
  plan.write.atomic = plan.write.operations.size() > 1;
  return Plan::kPlanned;
}

Session::Plan Session::plan_delete(Arguments args, PlannedWrite& plan) {
  if (args.size() - 1 > kWritesUnderWayMax) return Plan::kNotPlain;
  plan.kind = PlannedWrite::Kind::kDelete;
  for (const std::string_view key : args.subspan(1)) {
    if (key.empty() || key.size() > storage::kKeyBytesMax) return Plan::kNotPlain;
    plan.write.operations.emplace_back(
        storage::Delete{ns(), std::string(key), storage::Condition::kPresent, 0});
  }
  return Plan::kPlanned;
}

Session::Plan Session::plan_add(const CommandSpec& spec,
                                Arguments args,
                                PlannedWrite& plan,
                                Reply& reply) {
  storage::Add add;
  const std::string failure = read_delta(spec.name, args, add.delta);
  if (!failure.empty()) {
    reply.error(failure);
    return Plan::kAnswered;
  }
  plan.kind = PlannedWrite::Kind::kAdd;
  add.ns = ns();
  add.key = args[1];
  plan.write.operations.emplace_back(std::move(add));
  return Plan::kPlanned;
}

Session::Plan Session::plan_expire(const CommandSpec& spec,
                                   Arguments args,
                                   PlannedWrite& plan,
                                   Reply& reply) {
  if (args.size() > 3) return Plan::kNotPlain;
  storage::Touch touch;
  const std::string failure = read_expiry(spec.name, args[2], now(), touch.expires_at);
  if (!failure.empty()) {
    reply.error(failure);
    return Plan::kAnswered;
  }
  // The store's clock may be a little behind this one. A time that is over here is replaced by
  // 1970, so that the store too deletes the key at once.
  if (*touch.expires_at <= now()) touch.expires_at = from_unix_ms(1);
  plan.kind = PlannedWrite::Kind::kExpire;
  touch.ns = ns();
  touch.key = args[1];
  plan.write.operations.emplace_back(std::move(touch));
  return Plan::kPlanned;
}

bool Session::is_being_written(std::string_view key) const {
  return std::find(written_.begin(), written_.end(), hash_of(key)) != written_.end();
}

void Session::start_write(PlannedWrite plan, Arguments args) {
  const std::size_t step = plan.kind == PlannedWrite::Kind::kSetMany ? 2 : 1;
  for (std::size_t i = 0; i < plan.write.operations.size(); ++i) {
    written_.push_back(hash_of(args[1 + i * step]));
  }
  ++writes_;
  const std::uint64_t ticket = replies_.open();
  const PlannedWrite::Kind kind = plan.kind;
  // Only an addition that fails needs its key again.
  std::string key(kind == PlannedWrite::Kind::kAdd ? args[1] : std::string_view());
  const auto self = shared_from_this();
  reactor_.pass.add(
      caller_,
      std::move(plan.write),
      self,
      [weak = weak_from_this(), ticket, kind, key = std::move(key)](const Pass::Written& written) {
        const auto session = weak.lock();
        if (session && !session->closed_) {
          session->finish_write(ticket, kind, key, written);
        }
      });
}

void Session::finish_write(std::uint64_t ticket,
                           PlannedWrite::Kind kind,
                           const std::string& key,
                           const Pass::Written& written) {
  if (--writes_ == 0) written_.clear();
  std::string text;
  Reply reply(text, protocol_);
  if (!written) {
    reply.error(error_text(written.error()));
  } else {
    answer_write(kind, key, *written, reply);
  }
  replies_.fill(ticket, text);
}

void Session::answer_write(PlannedWrite::Kind kind,
                           const std::string& key,
                           const std::vector<WriteOutcome>& outcomes,
                           Reply& reply) {
  const WriteOutcome& first = outcomes.front();
  if (const WriteOutcome* const failed = find_failure(outcomes)) {
    if (kind != PlannedWrite::Kind::kAdd || failed->code != Code::kInvalidArgument) {
      return reply.error(error_text({failed->code, failed->message}));
    }
    // The store does not tell the two apart.
    const bool is_number =
        face_.operations.get_now(caller_, ns(), key, scratch_) && to_integer(scratch_.value);
    return reply.error(is_number ? kWouldOverflow : kNotInteger);
  }
  switch (kind) {
    case PlannedWrite::Kind::kSetMany:
    case PlannedWrite::Kind::kSet:
      if (first.code == Code::kOk) return reply.ok();
      return reply.null();
    case PlannedWrite::Kind::kAdd:
      return reply.integer(first.number.value_or(0));
    case PlannedWrite::Kind::kSetNx:
    case PlannedWrite::Kind::kExpire:
      return reply.integer(first.code == Code::kOk ? 1 : 0);
    case PlannedWrite::Kind::kDelete:
      return reply.integer(std::count_if(
          outcomes.begin(), outcomes.end(), [](const auto& one) { return one.code == Code::kOk; }));
  }
}

}  // namespace edged::redis
