// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/run.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <set>
#include <utility>

#include "proto/base/log.h"
#include "proto/base/utf8.h"
#include "proto/net/spawn.h"

namespace edged::class_monitor {
namespace {

using boost::asio::awaitable;
using std::chrono::steady_clock;
constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);

// A conflict with another transaction passes. After this many in a row the section counts as
// refused.
constexpr int kConflictsMax = 4;
// If this many sections are refused and none is stored or equal, the fault is systemic: the run
// fails.
constexpr std::size_t kRefusedMax = 20;
// If more sections than this in a row take too long alone, the run fails.
constexpr int kTooSlowMax = 2;
constexpr std::size_t kRefusalsLogged = 3;
constexpr std::size_t kAbsentListed = 5;  // in the summary

// `text` as PostgreSQL can store it: without NULs, and with U+FFFD for what is not UTF-8.
std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_character_bytes(text);
    if (length == 0) out += kReplacementCharacter;
    if (length > 0 && text.front() != '\0') out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

// Splits the last part into two. False: it holds a single section.
bool halve_last(std::vector<std::vector<CheckedSection>>& parts) {
  std::vector<CheckedSection>& whole = parts.back();
  if (whole.size() < 2) return false;
  const auto middle = whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2);
  std::vector<CheckedSection> second(std::make_move_iterator(middle),
                                     std::make_move_iterator(whole.end()));
  whole.erase(middle, whole.end());
  parts.push_back(std::move(second));
  return true;
}

bool worth_repeating(const Status& status) {
  return retryable(status.code()) || status.code() == Code::kUnknownOutcome ||
         status.code() == Code::kConflict;
}

}  // namespace

Run::Run(boost::asio::any_io_executor executor,
         RunTools tools,
         RunOptions options,
         BegunRun begun,
         db::StatementCounter counter,
         steady_clock::time_point started)
    : executor_(std::move(executor)),
      tools_(std::move(tools)),
      options_(options),
      begun_(std::move(begun)),
      counter_(counter),
      started_(started),
      progress_(executor_),
      renewal_(executor_) {
  summary_.run_id = begun_.hold.id;
  summary_.sections = begun_.sections.size();
  if (tools_.upstream_figures) asked_before_ = tools_.upstream_figures();
}

awaitable<Result<std::string>> Run::execute() {
  const auto self = shared_from_this();
  net::spawn(executor_, renew_lease());
  pullers_ = std::min(options_.concurrency, begun_.sections.size());
  const std::size_t pullers = pullers_;
  for (std::size_t i = 0; i < pullers; ++i) net::spawn(executor_, check_sections());
  co_await read_states();

  Status outcome = co_await apply_pending();
  stopped_ = true;
  co_await progress_.wait([this] { return pullers_ == 0; });
  if (outcome.ok() && summary_.failed > 0 && summary_.fetched + summary_.absent == 0) {
    outcome =
        Status(Code::kUnavailable, "no section could be checked; first failure: " + first_failure_);
  }
  auto closed = co_await close(outcome);
  done_ = true;
  renewal_.cancel();
  if (!closed) co_return closed.error();
  if (!closed->summary) {
    co_return Status(Code::kConflict,
                     "run " + std::to_string(begun_.hold.id) + " was taken over by another worker");
  }
  recorded_ = true;
  const std::string summary = *closed->summary;
  if (outcome.ok()) {
    co_await settle_confirmed(std::move(*closed));
  }
  if (!outcome.ok()) co_return outcome;
  co_return summary;
}

// Runs while the upstream is being asked: only its answers need the states.
awaitable<void> Run::read_states() {
  fresh_ = co_await tools_.kv.read(begun_.sections, begun_.position);
  if (tools_.kv.configured()) {
    summary_.kv_hits = fresh_.size();
    summary_.kv_misses = begun_.sections.size() - fresh_.size();
  }
  states_read_ = true;
  for (CheckedSection& checked : std::exchange(early_, {}))
    classify_observation(std::move(checked));
}

awaitable<void> Run::check_sections() {
  const auto self = shared_from_this();
  while (!stopped_ && next_ < begun_.sections.size()) {
    const std::size_t index = next_++;
    co_await check_section(begun_.sections[index]);
  }
  --pullers_;
  progress_.notify_all();
}

awaitable<void> Run::check_section(WatchedSection watched) {
  CheckedSection checked;
  checked.requested_at = tools_.clock.wall_now();
  // A named key: g++ 12 destroys an aggregate temporary in a co_await expression twice.
  upstream::SectionKey key{watched.class_nbr, watched.term};
  auto seen = co_await tools_.source.fetch(std::move(key), std::to_string(begun_.hold.id));
  if (seen) {
    ++summary_.fetched;
    if (seen->is_cancelled) ++summary_.cancelled;
    checked.watched = std::move(watched);
    checked.observation = normalize(std::move(*seen));
    classify_observation(std::move(checked));
  } else if (seen.code() == Code::kNotFound) {
    ++summary_.absent;
    if (summary_.absent_sections.size() < kAbsentListed) {
      summary_.absent_sections.push_back(watched.class_nbr);
    }
    absent_.push_back({std::move(watched.class_nbr), seen.error().message()});
  } else {
    ++summary_.failed;
    if (first_failure_.empty()) {
      first_failure_ = "section " + watched.class_nbr + ": " + seen.error().message();
    }
  }
}

// Decides whether PostgreSQL must be asked about an observation.
void Run::classify_observation(CheckedSection checked) {
  if (!states_read_) {
    early_.push_back(std::move(checked));
    return;
  }
  checked_.emplace_back(checked.watched.class_nbr, checked.requested_at);
  const auto fresh = fresh_.find(checked.watched.class_nbr);
  if (fresh != fresh_.end() &&
      merge(fresh->second.state, checked.observation) == fresh->second.state) {
    confirmed_.push_back(std::move(checked));
    return;
  }
  if (pending_.empty()) oldest_pending_ = steady_clock::now();
  pending_.push_back(std::move(checked));
  progress_.notify_all();
}

bool Run::batch_is_due() const {
  if (pending_.empty()) return false;
  return pullers_ == 0 || pending_.size() >= options_.batch ||
         steady_clock::now() - oldest_pending_ >= options_.apply_delay;
}

// Applies batches until every section was asked for and nothing is left to apply.
awaitable<Status> Run::apply_pending() {
  while (pullers_ > 0 || !pending_.empty()) {
    if (!batch_is_due()) {
      const auto due = pending_.empty() ? steady_clock::time_point::max()
                                        : oldest_pending_ + options_.apply_delay;
      const bool was_empty = pending_.empty();
      (void)co_await progress_.wait_until(due, [this, was_empty] {
        return batch_is_due() || pending_.empty() != was_empty || pullers_ == 0;
      });
      continue;
    }
    const auto count = static_cast<std::ptrdiff_t>(std::min(options_.batch, pending_.size()));
    std::vector<CheckedSection> batch(std::make_move_iterator(pending_.begin()),
                                      std::make_move_iterator(pending_.begin() + count));
    pending_.erase(pending_.begin(), pending_.begin() + count);
    oldest_pending_ = steady_clock::now();
    Status status = co_await apply_batch(std::move(batch));
    if (!status.ok()) co_return status;
  }
  co_return Status();
}

Run::Retry Run::new_retry() const {
  return {Backoff({}, static_cast<std::uint64_t>(begun_.hold.epoch)),
          steady_clock::now() + options_.database_patience};
}

awaitable<bool> Run::pause_before_retry(Status status, Retry& retry) {
  const auto delay = retry.backoff.next();
  if (!worth_repeating(status) || steady_clock::now() + delay > retry.give_up_at) co_return false;
  log::warn("run " + std::to_string(begun_.hold.id) + ": " + status.message() +
            "; it is tried again");
  boost::asio::steady_timer pause(executor_, delay);
  co_await pause.async_wait(kAwait);
  co_return true;
}

// A batch that PostgreSQL refuses, or cannot finish in its time, is halved until the section at
// fault stands alone, so that it does not keep the others from being announced.
awaitable<Status> Run::apply_batch(std::vector<CheckedSection> batch) {
  std::vector<std::vector<CheckedSection>> parts;
  parts.push_back(std::move(batch));
  Retry retry = new_retry();
  Status failure;
  int conflicts = 0, too_slow = 0;
  while (!parts.empty()) {
    auto applied =
        co_await tools_.store.apply(parts.back(), begun_.hold, tools_.clock.wall_now(), &counter_);
    if (applied) {
      stored_ += parts.back().size();
      parts.pop_back();
      co_await publish_applied(std::move(*applied));
      too_slow = 0;
    } else {
      failure = applied.error();
      const bool slow = failure.code() == Code::kDeadlineExceeded;
      const bool refused = failure.code() == Code::kInvalidArgument ||
                           (failure.code() == Code::kConflict && ++conflicts > kConflictsMax);
      const bool halved = (refused || slow) && halve_last(parts);
      if (!halved && !refused) {
        const bool again = co_await pause_before_retry(failure, retry);
        if (again) continue;
        if (!slow || ++too_slow > kTooSlowMax) co_return failure;
      }
      if (!halved) {
        note_refused(parts.back().front(), failure);
        parts.pop_back();
      }
    }
    retry = new_retry();
    conflicts = 0;
  }
  const bool nothing_works = stored_ == 0 && confirmed_.empty() && summary_.refused >= kRefusedMax;
  co_return nothing_works ? failure : Status();
}

// Tells the node and the outbox what was stored.
awaitable<void> Run::publish_applied(std::vector<AppliedSection> applied) {
  std::vector<StoredState> states;
  std::vector<std::string> claims, resets;
  for (const AppliedSection& section : applied) {
    summary_.changed += section.changed;
    summary_.openings += section.opened;
    summary_.instructor_assignments += section.assigned;
    if (section.stored) states.push_back({section.state, begun_.hold.epoch});
    claims.insert(claims.end(), section.claims.begin(), section.claims.end());
    resets.insert(resets.end(), section.resets.begin(), section.resets.end());
  }
  if (!claims.empty() && tools_.on_mails) tools_.on_mails();
  co_await tools_.kv.write(std::move(states));
  co_await tools_.kv.write_claims(std::move(claims), std::move(resets));
}

// A section that the database refuses counts as failed, although the upstream answered.
void Run::note_refused(const CheckedSection& section, const Status& why) {
  const std::string& class_nbr = section.watched.class_nbr;
  ++summary_.refused;
  --summary_.fetched;
  ++summary_.failed;
  std::erase_if(checked_, [&](const auto& item) { return item.first == class_nbr; });
  if (first_failure_.empty()) first_failure_ = "section " + class_nbr + ": " + why.message();
  if (summary_.refused <= kRefusalsLogged) {
    log::error("run " + std::to_string(begun_.hold.id) + ": could not store section " + class_nbr +
               ": " + why.message());
  }
}

awaitable<void> Run::renew_lease() {
  const auto self = shared_from_this();
  while (!done_) {
    renewal_.expires_after(options_.lease_renewal);
    co_await renewal_.async_wait(kAwait);
    if (done_) break;
    const auto ours = co_await tools_.store.renew_lease(begun_.hold, tools_.clock.wall_now());
    if (ours && !*ours) {
      log::warn("run " + std::to_string(begun_.hold.id) +
                " was taken over by another worker; this worker gives it up");
      stopped_ = true;
      break;
    }
    if (!ours) log::warn(ours.error().message());
  }
}

RunEnd Run::describe_end(const Status& outcome) {
  summary_.sql_statements =
      counter_.statements + tools_.store.messages_per_statement();  // with the one that stores this
  summary_.seconds = std::chrono::duration<double>(steady_clock::now() - started_).count();
  if (tools_.upstream_figures) summary_.upstream = tools_.upstream_figures().since(asked_before_);
  RunEnd end;
  end.succeeded = outcome.ok();
  end.error = printable(outcome.message());
  end.summary = to_json(summary_);
  if (!outcome.ok()) return end;  // what was not applied must not count as settled
  for (const CheckedSection& section : confirmed_) {
    const StoredState& fresh = fresh_.at(section.watched.class_nbr);
    end.confirmed.push_back({section.watched.class_nbr, fresh.epoch, section.requested_at});
  }
  if (options_.touch_last_checked) end.checked = checked_;
  return end;
}

awaitable<Result<ClosedRun>> Run::close(Status outcome) {
  if (!first_failure_.empty()) {
    log::warn("run " + std::to_string(begun_.hold.id) + ": " + std::to_string(summary_.failed) +
              (summary_.failed == 1 ? " section" : " sections") +
              " could not be checked; first failure: " + first_failure_);
  }
  Retry retry = new_retry();
  while (true) {
    auto closed = co_await tools_.store.finish(
        describe_end(outcome), begun_.hold, tools_.clock.wall_now(), &counter_);
    if (closed) co_return closed;
    if (closed.code() == Code::kInvalidArgument && options_.touch_last_checked) {
      log::error("run " + std::to_string(begun_.hold.id) +
                 ": could not bring last_checked_at up to date: " + closed.error().message());
      options_.touch_last_checked = false;
      continue;
    }
    const bool again = co_await pause_before_retry(closed.error(), retry);
    if (!again) co_return closed.error();
  }
}

// Renews the KV entries of the confirmed sections under this run's epoch. A section that another
// run settled since it was listed is applied through PostgreSQL after all.
awaitable<void> Run::settle_confirmed(ClosedRun closed) {
  const std::set<std::string> conflicts(closed.conflicts.begin(), closed.conflicts.end());
  std::vector<StoredState> states;
  std::vector<CheckedSection> disputed;
  for (CheckedSection& section : confirmed_) {
    if (conflicts.contains(section.watched.class_nbr)) {
      disputed.push_back(std::move(section));
    } else {
      states.push_back({fresh_.at(section.watched.class_nbr).state, begun_.hold.epoch});
    }
  }
  co_await tools_.kv.write(std::move(states));
  if (disputed.empty()) co_return;
  const Status status = co_await apply_batch(std::move(disputed));
  if (!status.ok()) log::warn("run " + std::to_string(begun_.hold.id) + ": " + status.message());
}

}  // namespace edged::class_monitor
