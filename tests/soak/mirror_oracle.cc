// SPDX-License-Identifier: Apache-2.0
// See mirror_oracle.h.
#include "tests/soak/mirror_oracle.h"

#include <algorithm>
#include <chrono>

#include "proto/base/check.h"

namespace edged::soak {
namespace {

// The node's time may be so much behind the clock.
constexpr std::int64_t kClockSlackMs = 3;
constexpr std::size_t kShownStates = 6;
constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

// The last state that was acknowledged before `ms`; the first if none was.
std::size_t last_before(const std::vector<RowState>& states, std::int64_t ms) {
  for (std::size_t i = states.size(); i-- > 1;) {
    if (states[i].after_ms != RowState::kPending && states[i].after_ms < ms) return i;
  }
  return 0;
}

std::size_t find_version(const std::vector<RowState>& states, std::uint64_t version) {
  for (std::size_t i = states.size(); i-- > 0;) {
    if (states[i].version == version) return i;
  }
  return kNowhere;
}

}  // namespace

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void Oracle::begin(const Changes& changes) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, state] : changes) {
    std::vector<RowState>& states = histories_[key].states;
    if (states.empty()) states.emplace_back();
    states.push_back(state);
    states.back().before_ms = wall_ms();
    states.back().after_ms = RowState::kPending;
  }
}

void Oracle::commit(const Changes& changes) {
  const std::int64_t now = wall_ms();
  const std::lock_guard lock(mutex_);
  for (const auto& [key, state] : changes) {
    std::vector<RowState>& states = histories_[key].states;
    const std::size_t at = find_version(states, state.version);
    KV_CHECK(at != kNowhere);
    states[at].after_ms = now;
  }
}

std::string Oracle::abort(const Changes& changes) {
  std::string broken;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, state] : changes) {
    History& history = histories_[key];
    const std::size_t at = find_version(history.states, state.version);
    KV_CHECK(at != kNowhere);
    if (history.states[at].seen && state.present) {
      broken = key + ": version " + std::to_string(state.version) +
               " was read, but PostgreSQL did not commit it";
    }
    history.states.erase(history.states.begin() + static_cast<std::ptrdiff_t>(at));
    history.high = std::min(history.high, history.states.size() - 1);
  }
  return broken;
}

void Oracle::reset(const Changes& states) {
  const std::lock_guard lock(mutex_);
  histories_.clear();
  for (const auto& [key, state] : states) {
    History& history = histories_[key];
    history.states.push_back(state);
    history.states.back().before_ms = history.states.back().after_ms = 0;
  }
  ++epoch_;
  since_ms_ = wall_ms();
  recovered_ = false;
}

std::int64_t Oracle::since_ms() const {
  const std::lock_guard lock(mutex_);
  return since_ms_;
}

std::vector<std::string> Oracle::present_keys(const std::string& prefix) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, history] : histories_) {
    if (key.starts_with(prefix) && history.states.back().present) keys.push_back(key);
  }
  return keys;
}

void Oracle::require_column(const std::string& prefix, const std::string& column) {
  const std::lock_guard lock(mutex_);
  columns_[prefix] = {column, wall_ms()};
}

const Oracle::History& Oracle::history_of(const std::string& key) const {
  static const History kNever{{RowState{}}, 0};
  const auto found = histories_.find(key);
  return found == histories_.end() ? kNever : found->second;
}

Oracle::Ticket Oracle::ticket(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return {epoch_, history_of(key).high, recovered_};
}

std::optional<Oracle::Ticket> Oracle::ticket_behind(const std::string& key,
                                                    std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  const std::size_t at = find_version(history_of(key).states, version);
  if (at == kNowhere) return std::nullopt;
  return Ticket{epoch_, at, recovered_};
}

// Empty, or what is wrong; `found`: which state was read.
std::string Oracle::why_not(const History& history,
                            const Ticket& ticket,
                            const Answer& answer,
                            std::size_t* found) const {
  const std::vector<RowState>& states = history.states;
  *found = 0;
  const std::size_t claimed = answer.fresh_ms ? last_before(states, *answer.fresh_ms) : 0;
  if (!answer.present) {
    for (std::size_t i = std::max(claimed, ticket.floor); i < states.size(); ++i) {
      *found = i;
      const bool expired = states[i].expires_ms != 0 && states[i].expires_ms <= answer.answered_ms;
      if (!states[i].present || states[i].passing || expired) return {};
    }
    if (answer.unsettled && claimed + 1 < states.size()) {
      *found = 0;
      return {};
    }
    return claimed >= ticket.floor ? "absent, though it was there before fresh_as_of"
                                   : "absent, though it was read or asked for by position";
  }
  const std::size_t at = find_version(states, answer.version);
  if (at == kNowhere || !(states[at].present || states[at].passing)) {
    if (answer.unsettled) return {};
    return "a version that was never committed";
  }
  *found = at;
  if (at < claimed) return "older than fresh_as_of claims";
  if (at < ticket.floor) return "older than what was read before or asked for by position";
  if (!states[at].passing && !answer.unsettled && states[at].body != answer.body) {
    return "a large value of another version: " + std::to_string(answer.body) + ", not " +
           std::to_string(states[at].body);
  }
  if (states[at].expires_ms != 0 && states[at].expires_ms < answer.asked_ms - kClockSlackMs) {
    return "answered after its expiry";
  }
  return {};
}

std::string Oracle::missing_column(const std::string& key, const Answer& answer) const {
  for (const auto& [prefix, column] : columns_) {
    if (column.name.empty() || !key.starts_with(prefix)) continue;
    if (!answer.present || !answer.fresh_ms || column.since_ms >= *answer.fresh_ms) continue;
    if (answer.value.find("\"" + column.name + "\":") == std::string::npos) {
      return "without the column \"" + column.name + "\", which was added at " +
             std::to_string(column.since_ms);
    }
  }
  return {};
}

Oracle::Judgement Oracle::judge(const std::string& key,
                                const Ticket& ticket,
                                const Answer& answer) {
  const std::lock_guard lock(mutex_);
  if (ticket.epoch != epoch_) return {Verdict::kUnjudged, {}};
  if (answer.present && !answer.fresh_ms) {
    return {Verdict::kBroken, key + " was answered without fresh_as_of"};
  }
  if (answer.fresh_ms && *answer.fresh_ms <= since_ms_) return {Verdict::kUnjudged, {}};
  if (!answer.fresh_ms && !ticket.recovered) return {Verdict::kUnjudged, {}};
  recovered_ = recovered_ || answer.fresh_ms;
  History& history = histories_[key];
  if (history.states.empty()) history.states.emplace_back();
  std::size_t found = 0;
  std::string wrong = why_not(history, ticket, answer, &found);
  if (wrong.empty()) wrong = missing_column(key, answer);
  if (!wrong.empty()) {
    return {Verdict::kBroken, wrong + ": " + describe(key, history, answer)};
  }
  history.high = std::max(history.high, found);
  history.states[found].seen = true;
  return {};
}

std::string Oracle::describe(const std::string& key, const History& history, const Answer& answer) {
  std::string text = key + (answer.present ? " version " + std::to_string(answer.version) +
                                                 " body " + std::to_string(answer.body)
                                           : " absent");
  text += ", fresh_as_of " + (answer.fresh_ms ? std::to_string(*answer.fresh_ms) : "unknown");
  text += ", asked " + std::to_string(answer.asked_ms) + ", answered " +
          std::to_string(answer.answered_ms) + "; states (version, commit sent, acknowledged):";
  const std::size_t count = history.states.size();
  for (std::size_t i = count - std::min(count, kShownStates); i < count; ++i) {
    const RowState& state = history.states[i];
    text += " [" + std::to_string(state.version) + (state.present ? "" : " absent") + " " +
            std::to_string(state.before_ms) + " " +
            (state.after_ms == RowState::kPending ? "pending" : std::to_string(state.after_ms)) +
            (i == history.high ? " newest read" : "") + "]";
  }
  return text + "; value " + answer.value.substr(0, 100);
}

}  // namespace edged::soak
