// SPDX-License-Identifier: Apache-2.0
// See linear_checker.h.
#include "tests/soak/linear_checker.h"

#include <algorithm>
#include <array>
#include <optional>

#include "tests/soak/linear_configurations.h"
#include "tests/soak/linear_timeline.h"

namespace edged::soak {
namespace {

using Role = LinearRole::Kind;
using Verdict = LinearVerdict::Kind;
using Content = LinearConfiguration::Content;
using Configuration = LinearConfiguration;
using Configurations = LinearConfigurations;

constexpr std::size_t kSlots = 64;  // answered operations that overlap, other than writes
constexpr std::size_t kConfigurationsMax = 10'000;

// Pending operations without an answer of one kind that end at one time.
struct Pool {
  LinearKind kind = LinearKind::kPut;
  std::int64_t end = 0;
  std::uint32_t members = 0;
  std::uint32_t pending = 0;  // 0: the pool is over and its place is free
};

class Judge {
 public:
  explicit Judge(const std::vector<LinearOp>& history)
      : history_(history), timeline_(history), pending_(history.size()) {
    replacers_.resize(timeline_.writes().size());
    removers_.resize(timeline_.writes().size());
    slots_.fill(kNoOp);
  }

  LinearVerdict run() {
    if (!timeline_.contradiction().empty()) {
      verdict_ = {Verdict::kBroken, timeline_.contradiction()};
      return verdict_;
    }
    current_ = {Configuration{}};
    for (const LinearMoment& moment : moments_of(history_)) {
      if (moment.time == kNever) break;  // nothing has to be explained any more
      if (moment.returns) {
        end(moment.op);
      } else {
        begin(moment.op);
      }
      verdict_.most_configurations = std::max(verdict_.most_configurations, current_.size());
      if (verdict_.kind != Verdict::kLinearizable) break;
    }
    return verdict_;
  }

 private:
  Role role(std::size_t op) const { return timeline_.roles()[op].kind; }
  std::size_t position(std::size_t op) const { return timeline_.roles()[op].position; }
  const std::vector<LinearWrite>& writes() const { return timeline_.writes(); }
  static std::uint64_t bit(std::size_t slot) { return std::uint64_t{1} << slot; }

  static bool takes_slot(Role role) {
    return role == Role::kSeesEntry || role == Role::kSeesNothing || role == Role::kDeletes ||
           role == Role::kDeletesEntry;
  }

  void begin(std::size_t op) {
    pending_[op] = true;
    if (takes_slot(role(op))) {
      const auto slot = std::find(slots_.begin(), slots_.end(), kNoOp);
      if (slot == slots_.end()) {
        verdict_ = {Verdict::kUndecided, "more than 64 answered operations overlap"};
        return;
      }
      *slot = op;
      slots_end_ = std::max(slots_end_, static_cast<std::size_t>(slot - slots_.begin()) + 1);
      for (Configuration& one : current_) explain_what_fits(one);
    } else if (role(op) == Role::kMaybePut || role(op) == Role::kMaybeDelete) {
      join_pool(op);
    } else if (role(op) == Role::kMaybeReplaces) {
      ++replacers_[position(op)];
    } else if (role(op) == Role::kMaybeRemoves) {
      ++removers_[position(op)];
    }
  }

  void join_pool(std::size_t op) {
    const LinearOp& joining = history_[op];
    std::size_t place = pools_.size();
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      const Pool& pool = pools_[i];
      if (pool.pending == 0 && place == pools_.size()) place = i;
      if (pool.pending != 0 && pool.kind == joining.kind && pool.end == joining.returned) {
        place = i;
        break;
      }
    }
    if (place == pools_.size()) {
      pools_.emplace_back();
      for (Configuration& one : current_) one.spent.push_back(0);
    }
    Pool& pool = pools_[place];
    if (pool.pending == 0) pool = {joining.kind, joining.returned, 0, 0};
    ++pool.members;
    ++pool.pending;
  }

  void end(std::size_t op) {
    switch (role(op)) {
      case Role::kNone:
        break;
      case Role::kWrite:
      case Role::kSeesEntry:
      case Role::kSeesNothing:
      case Role::kDeletes:
      case Role::kDeletesEntry:
        require(op);
        break;
      case Role::kMaybePut:
      case Role::kMaybeDelete:
        leave_pool(op);
        break;
      case Role::kMaybeReplaces:
        if (last_use_of(position(op))) keep(reachable(kNoOp));
        --replacers_[position(op)];
        break;
      case Role::kMaybeRemoves:
        if (last_use_of(position(op))) keep(reachable(kNoOp));
        --removers_[position(op)];
        break;
    }
    pending_[op] = false;
  }

  // Whether some configuration is not yet past the write at `position`.
  bool last_use_of(std::size_t position) const {
    return std::any_of(current_.begin(), current_.end(), [position](const Configuration& one) {
      return one.next <= position + 1;
    });
  }

  void leave_pool(std::size_t op) {
    const auto found = std::find_if(pools_.begin(), pools_.end(), [&](const Pool& pool) {
      return pool.pending != 0 && pool.kind == history_[op].kind &&
             pool.end == history_[op].returned;
    });
    // Its members end at one time, and the first of these moments is the last one to use them.
    if (found->pending == found->members) keep(reachable(kNoOp));
    if (--found->pending != 0) return;
    for (Configuration& one : current_)
      one.spent[static_cast<std::size_t>(found - pools_.begin())] = 0;
    Configurations merged;
    for (const Configuration& one : current_) merged.insert(one);
    keep(merged);
  }

  // Keeps the explanations in which `op`, which has to, has taken effect.
  void require(std::size_t op) {
    const Configurations kept = reachable(op);
    if (kept.size() == 0 && verdict_.kind == Verdict::kLinearizable) {
      verdict_ = {Verdict::kBroken, explain(op)};
    }
    const auto slot = std::find(slots_.begin(), slots_.end(), op);
    if (slot == slots_.end()) return keep(kept);
    const std::uint64_t gone = bit(static_cast<std::size_t>(slot - slots_.begin()));
    *slot = kNoOp;
    Configurations merged;
    for (Configuration one : kept.all()) {
      one.explained &= ~gone;
      one.deletes_spent &= ~gone;
      merged.insert(one);
    }
    keep(merged);
  }

  void keep(const Configurations& configurations) { current_ = configurations.all(); }

  bool has_happened(std::size_t op, const Configuration& in) const {
    if (role(op) == Role::kWrite) return in.next > position(op);
    const auto slot = std::find(slots_.begin(), slots_.end(), op);
    return (in.explained & bit(static_cast<std::size_t>(slot - slots_.begin()))) != 0;
  }

  // Every configuration in which `op` has taken effect, reached by letting pending operations take
  // effect up to it; with kNoOp, every one that can be reached.
  Configurations reachable(std::size_t op) {
    Configurations reached, tried;
    // An answered delete that found nothing could also be the one that makes the key absent later:
    // its return is the last moment for that.
    const bool stops = op != kNoOp && role(op) != Role::kDeletes;
    std::vector<Configuration> todo = current_;
    while (!todo.empty()) {
      const Configuration from = std::move(todo.back());
      todo.pop_back();
      const bool happened = op == kNoOp || has_happened(op, from);
      if (happened) reached.insert(from);
      if (happened && stops) continue;
      moves_.clear();
      add_moves(from);
      for (Configuration& to : moves_) {
        explain_what_fits(to);
        if (tried.insert(to)) todo.push_back(std::move(to));
      }
      if (tried.size() > kConfigurationsMax) {
        verdict_ = {Verdict::kUndecided, "more than 10,000 states would have to be kept"};
        return {};
      }
    }
    return reached;
  }

  // Whatever is pending and fits the content has found it: to wait would win nothing. An answered
  // delete of an absent key changes nothing, and from then on it is free to do so once.
  void explain_what_fits(Configuration& one) const {
    for (std::size_t slot = 0; slot < slots_end_; ++slot) {
      const std::size_t op = slots_[slot];
      if (op == kNoOp) continue;
      const Role kind = role(op);
      const bool fits = kind == Role::kSeesEntry
                            ? one.content == Content::kEntry && one.next == position(op) + 1
                            : kind != Role::kDeletesEntry && one.content == Content::kAbsent;
      if (fits) one.explained |= bit(slot);
    }
  }

  void add_moves(const Configuration& from) {
    if (from.content == Content::kEntry) add_removal(from);
    if (from.next >= writes().size()) return;
    const LinearWrite& write = writes()[from.next];
    if (write.op == kNoOp) {
      add_unknown_put(from);
      return;
    }
    const LinearOp& op = history_[write.op];
    if (pending_[write.op] && allows(from, op)) moves_.push_back(written(from, op));
    if (from.content == Content::kAbsent && op.kind == LinearKind::kPutIfPresent) {
      spend(from, LinearKind::kPutIfAbsent, Content::kHidden);
    }
  }

  // The condition of a write whose version is known. A delete is given one even if nothing was
  // there.
  bool allows(const Configuration& from, const LinearOp& op) const {
    switch (op.kind) {
      case LinearKind::kPut:
      case LinearKind::kDelete:
        return true;
      case LinearKind::kPutIfAbsent:
        return from.content == Content::kAbsent;
      case LinearKind::kPutIfPresent:
        return from.content != Content::kAbsent;
      case LinearKind::kPutIfVersion:
      case LinearKind::kDeleteIfVersion:
        return from.content == Content::kEntry && writes()[from.next - 1].version == op.if_version;
      case LinearKind::kGet:
        return false;
    }
    return false;
  }

  static Configuration written(const Configuration& from, const LinearOp& op) {
    Configuration to = from;
    ++to.next;
    to.content = is_put(op.kind) ? Content::kEntry : Content::kAbsent;
    return to;
  }

  // The next write is a put without an answer, any that fits.
  void add_unknown_put(const Configuration& from) {
    if (from.content == Content::kHidden) return;  // the hidden put could have been this one
    Configuration to = from;
    ++to.next;
    to.content = Content::kEntry;
    if (from.content == Content::kEntry && replacers_[from.next - 1] != 0) {
      moves_.push_back(std::move(to));  // it is of no other use, and costs nothing
      return;
    }
    spend(to,
          from.content == Content::kAbsent ? LinearKind::kPutIfAbsent : LinearKind::kPutIfPresent,
          Content::kEntry);
  }

  // Adds `to`, with `content`, if a put without an answer is left, of the kind `conditional` or
  // without a condition: of each kind the one that ends first. One without a condition can always
  // take the place of the other later, so that it is only tried if it ends first.
  void spend(const Configuration& to, LinearKind conditional, Content content) {
    const auto narrow = first_pool(to, conditional);
    const auto wide = first_pool(to, LinearKind::kPut);
    if (narrow) add_spent(to, *narrow, content);
    if (wide && (!narrow || pools_[*wide].end < pools_[*narrow].end)) add_spent(to, *wide, content);
  }

  void add_spent(Configuration to, std::size_t pool, Content content) {
    ++to.spent[pool];
    to.content = content;
    moves_.push_back(std::move(to));
  }

  std::optional<std::size_t> first_pool(const Configuration& in, LinearKind kind) const {
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      const Pool& pool = pools_[i];
      if (pool.pending == 0 || pool.kind != kind || in.spent[i] >= pool.members) continue;
      if (!first || pool.end < pools_[*first].end) first = i;
    }
    return first;
  }

  // The entry is deleted by a delete whose version nobody was told. An answered delete of exactly
  // this entry must be the one; then one that can delete only this entry; then the one that ends
  // first, since every other one can take its place later.
  void add_removal(const Configuration& from) {
    Configuration to = from;
    to.content = Content::kAbsent;
    std::optional<std::size_t> first_slot;
    for (std::size_t slot = 0; slot < slots_end_; ++slot) {
      const std::size_t op = slots_[slot];
      if (op == kNoOp) continue;
      if (role(op) == Role::kDeletesEntry && position(op) + 1 == from.next) {
        to.explained |= bit(slot);
        moves_.push_back(std::move(to));
        return;
      }
      if (role(op) != Role::kDeletes || (from.deletes_spent & bit(slot)) != 0) continue;
      if (!first_slot || history_[op].returned < history_[slots_[*first_slot]].returned) {
        first_slot = slot;
      }
    }
    if (removers_[from.next - 1] != 0) {
      moves_.push_back(std::move(to));
      return;
    }
    const auto pool = first_pool(from, LinearKind::kDelete);
    if (first_slot && (!pool || history_[slots_[*first_slot]].returned <= pools_[*pool].end)) {
      to.deletes_spent |= bit(*first_slot);
    } else if (pool) {
      ++to.spent[*pool];
    } else {
      return;
    }
    moves_.push_back(std::move(to));
  }

  std::string explain(std::size_t op) const;

  const std::vector<LinearOp>& history_;
  const LinearTimeline timeline_;
  std::vector<bool> pending_;
  std::array<std::size_t, kSlots> slots_{};
  std::size_t slots_end_ = 0;  // all above were never used
  std::vector<Pool> pools_;
  std::vector<std::uint32_t> replacers_, removers_;  // pending, of each write
  std::vector<Configuration> current_;
  std::vector<Configuration> moves_;
  LinearVerdict verdict_;
};

std::string Judge::explain(std::size_t op) const {
  std::string text = "nothing explains " + text_of(history_[op]) + "; the key could have been";
  for (std::size_t i = 0; i < std::min<std::size_t>(current_.size(), 8); ++i) {
    const Configuration& one = current_[i];
    text += one.content == Content::kAbsent   ? " absent"
            : one.content == Content::kHidden ? " present with a version that no answer names"
                                              : " present";
    if (one.next != 0) {
      const LinearWrite& last = writes()[one.next - 1];
      text += " after version " + std::to_string(last.version);
      if (last.op != kNoOp) text += " = " + text_of(history_[last.op]);
    }
    text += ";";
  }
  text += " pending:";
  std::size_t told = 0;
  for (std::size_t other = 0; other < pending_.size() && told < 20; ++other) {
    if (!pending_[other] || other == op) continue;
    text += "\n  " + text_of(history_[other]);
    ++told;
  }
  return text;
}

}  // namespace

LinearVerdict judge_linear(const std::vector<LinearOp>& history) {
  return Judge(history).run();
}

}  // namespace edged::soak
