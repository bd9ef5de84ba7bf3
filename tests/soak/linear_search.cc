// SPDX-License-Identifier: Apache-2.0
// See linear_search.h.
#include "tests/soak/linear_search.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_set>

namespace edged::soak {
namespace {

constexpr std::size_t kConfigurationsMax = 1'000'000;
constexpr std::size_t kPendingMax = 64;

struct Register {
  std::uint64_t value = 0;          // 0: absent
  std::uint64_t version = 0;        // 0: of a write without answer, not yet seen by anybody
  std::uint64_t version_floor = 0;  // the largest so far, this one's left out while it is not known

  bool operator==(const Register&) const = default;
};

struct Configuration {
  Register state;
  std::uint64_t done = 0;  // a bit for each pending operation that has taken effect

  bool operator==(const Configuration&) const = default;
};

struct Hash {
  std::size_t operator()(const Configuration& one) const {
    std::size_t hash = one.done;
    for (const std::uint64_t part : {one.state.value, one.state.version, one.state.version_floor}) {
      hash = hash * 0x9E3779B97F4A7C15u + part;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

using Configurations = std::unordered_set<Configuration, Hash>;

// The register, one operation at a time.
class Model {
 public:
  explicit Model(const std::vector<LinearOp>& history) {
    for (const LinearOp& op : history) {
      if (op.answered && op.code == Code::kOk && is_put(op.kind)) owners_[op.version] = op.value;
    }
  }

  // The register after `op`, or nothing if `op` cannot have been answered so from `state`. Without
  // an answer it is only asked whether it could have changed the register.
  std::optional<Register> apply(const LinearOp& op, const Register& state) const {
    if (op.kind == LinearKind::kGet) return op.answered ? read(op, state) : std::nullopt;
    if (!op.answered) return change(op, state);
    switch (op.code) {
      case Code::kOk:
        return change(op, state);
      case Code::kNotFound:
        return needs_entry(op.kind) && state.value == 0 ? std::optional(state) : std::nullopt;
      case Code::kExists:
        return op.kind == LinearKind::kPutIfAbsent ? seen(state, op.version) : std::nullopt;
      case Code::kVersionMismatch:
        if (op.kind == LinearKind::kPutIfVersion && op.version == 0) {
          return state.value == 0 ? std::optional(state) : std::nullopt;
        }
        return op.if_version != 0 && op.version != op.if_version ? seen(state, op.version)
                                                                 : std::nullopt;
      default:
        return std::nullopt;  // no answer a register gives
    }
  }

 private:
  // Those that answer not_found. kPutIfVersion answers version_mismatch without a version.
  static bool needs_entry(LinearKind kind) {
    return kind == LinearKind::kPutIfPresent || kind == LinearKind::kDeleteIfVersion;
  }

  // `state`, if what it holds may have `version`.
  std::optional<Register> seen(Register state, std::uint64_t version) const {
    if (state.value == 0 || version == 0) return std::nullopt;
    if (state.version != 0) return state.version == version ? std::optional(state) : std::nullopt;
    const auto owner = owners_.find(version);
    const bool taken = owner != owners_.end() && owner->second != state.value;
    if (taken || version <= state.version_floor) return std::nullopt;
    state.version = state.version_floor = version;
    return state;
  }

  std::optional<Register> read(const LinearOp& op, const Register& state) const {
    if (op.code == Code::kNotFound) return state.value == 0 ? std::optional(state) : std::nullopt;
    if (op.code != Code::kOk || op.value_read != state.value) return std::nullopt;
    return seen(state, op.version);
  }

  // The condition holds and the operation does what it says.
  std::optional<Register> change(const LinearOp& op, Register state) const {
    const bool present = state.value != 0;
    if ((op.kind == LinearKind::kPutIfAbsent && present) ||
        (op.kind == LinearKind::kPutIfPresent && !present)) {
      return std::nullopt;
    }
    if (op.kind == LinearKind::kPutIfVersion || op.kind == LinearKind::kDeleteIfVersion) {
      const auto matching = seen(state, op.if_version);
      if (!matching) return std::nullopt;
      state = *matching;
    }
    const std::uint64_t version = op.answered ? op.version : 0;
    if (!is_put(op.kind) && version == 0) return Register{0, 0, state.version_floor};
    if (op.answered && version <= state.version_floor) return std::nullopt;
    if (!is_put(op.kind)) return Register{0, 0, version};
    return Register{op.value, version, std::max(version, state.version_floor)};
  }

  std::map<std::uint64_t, std::uint64_t> owners_;  // version: the value that was written with it
};

class Search {
 public:
  explicit Search(const std::vector<LinearOp>& history) : history_(history), model_(history) {
    pending_.fill(kFree);
    configurations_.insert(Configuration{});
  }

  LinearVerdict run() {
    for (const LinearMoment& moment : moments_of(history_)) {
      if (moment.time == kNever) break;  // nothing has to be explained any more
      if (moment.returns) {
        end(moment.op);
      } else {
        begin(moment.op);
      }
      verdict_.most_configurations = std::max(verdict_.most_configurations, configurations_.size());
      if (verdict_.kind != LinearVerdict::Kind::kLinearizable) break;
    }
    return verdict_;
  }

 private:
  static constexpr std::size_t kFree = SIZE_MAX;

  void begin(std::size_t op) {
    const auto place = std::find(pending_.begin(), pending_.end(), kFree);
    if (place == pending_.end()) {
      verdict_ = {LinearVerdict::Kind::kUndecided, "more than 64 operations were pending at once"};
      return;
    }
    *place = op;
  }

  void end(std::size_t op) {
    const auto place = std::find(pending_.begin(), pending_.end(), op);
    const std::uint64_t bit = std::uint64_t{1} << (place - pending_.begin());
    Configurations kept = with(bit);
    if (!history_[op].answered) kept.insert(configurations_.begin(), configurations_.end());
    if (kept.empty() && verdict_.kind == LinearVerdict::Kind::kLinearizable) {
      verdict_ = {LinearVerdict::Kind::kBroken, explain(op)};
    }
    *place = kFree;
    configurations_.clear();
    for (Configuration one : kept) {
      one.done &= ~bit;
      configurations_.insert(one);
    }
  }

  // Every configuration in which the operation of `bit` has taken effect, reached by letting
  // pending operations take effect in any order up to it.
  Configurations with(std::uint64_t bit) {
    Configurations reached, tried;
    std::vector<Configuration> todo(configurations_.begin(), configurations_.end());
    while (!todo.empty()) {
      const Configuration from = todo.back();
      todo.pop_back();
      if ((from.done & bit) != 0) {
        reached.insert(from);
        continue;
      }
      for (std::size_t i = 0; i < kPendingMax; ++i) {
        const std::uint64_t one = std::uint64_t{1} << i;
        if (pending_[i] == kFree || (from.done & one) != 0) continue;
        const auto state = model_.apply(history_[pending_[i]], from.state);
        const Configuration to{state.value_or(Register{}), from.done | one};
        if (state && tried.insert(to).second) todo.push_back(to);
      }
      if (tried.size() > kConfigurationsMax) {
        verdict_ = {LinearVerdict::Kind::kUndecided, "more than a million configurations"};
        return {};
      }
    }
    return reached;
  }

  std::string explain(std::size_t op) const {
    std::string text = "nothing explains " + text_of(history_[op]) + "; the key could have been";
    std::size_t told = 0;
    for (const Configuration& one : configurations_) {
      if (++told > 8) break;
      text += one.state.value == 0 ? " absent;"
                                   : " " + std::to_string(one.state.value) + " with version " +
                                         std::to_string(one.state.version) + ";";
    }
    text += " pending:";
    for (const std::size_t other : pending_) {
      if (other != kFree && other != op) text += "\n  " + text_of(history_[other]);
    }
    return text;
  }

  const std::vector<LinearOp>& history_;
  const Model model_;
  std::array<std::size_t, kPendingMax> pending_{};
  Configurations configurations_;
  LinearVerdict verdict_;
};

}  // namespace

LinearVerdict search_linear(const std::vector<LinearOp>& history) {
  return Search(history).run();
}

}  // namespace edged::soak
