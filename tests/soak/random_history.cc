// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/random_history.h"

#include <algorithm>
#include <set>

namespace edged::soak {
namespace {

class Simulation {
 public:
  Simulation(const RandomHistoryOptions& options, std::mt19937_64& random)
      : options_(options), random_(random), clients_(options.clients) {}

  std::vector<LinearOp> run() {
    while (history_.size() < options_.operations || busy()) {
      ++now_;
      Client& client = clients_[pick(clients_.size())];
      if (!client.busy) {
        if (history_.size() < options_.operations) invoke(client);
      } else if (!client.done) {
        client.done = true;
        take_effect(client);
      } else {
        give_answer(client);
      }
      while (!late_.empty() && pick(8) == 0) {  // lost, but still on its way
        const std::size_t op = late_.back();
        late_.pop_back();
        if (history_[op].returned >= now_) apply(op);
      }
    }
    return history_;
  }

 private:
  struct Client {
    bool busy = false, done = false, lost = false;
    std::size_t op = 0;
    std::uint64_t known_version = 0;
  };

  std::uint64_t pick(std::uint64_t count) { return random_() % count; }
  bool busy() const {
    return std::any_of(clients_.begin(), clients_.end(), [](const Client& c) { return c.busy; });
  }

  void invoke(Client& client) {
    LinearOp op;
    op.kind = static_cast<LinearKind>(pick(7));
    if (is_put(op.kind)) op.value = ++last_value_;
    if (op.kind == LinearKind::kPutIfVersion || op.kind == LinearKind::kDeleteIfVersion) {
      op.if_version = client.known_version != 0 ? client.known_version : 1;
    }
    op.invoked = now_;
    client = {
        true, false, pick(1000) < options_.lost_per_mille, history_.size(), client.known_version};
    history_.push_back(op);
    if (options_.life != 0 && history_.size() % options_.life == 0) die();
  }

  // The process ends: what was lost before cannot take effect any more.
  void die() {
    for (const std::size_t op : waiting_) history_[op].returned = now_;
    waiting_.clear();
    late_.clear();
  }

  void take_effect(Client& client) {
    if (!client.lost) return apply(client.op);
    LinearOp& op = history_[client.op];
    op.returned = kNever;
    if (options_.life != 0) {
      waiting_.push_back(client.op);
    } else if (pick(2) == 0) {
      op.returned = now_ + static_cast<std::int64_t>(pick(20));
    }
    if (pick(2) == 0) late_.push_back(client.op);
    client.busy = false;
  }

  void give_answer(Client& client) {
    LinearOp& op = history_[client.op];
    op.returned = now_;
    op.answered = true;
    if (op.version != 0) client.known_version = op.version;
    client.busy = false;
  }

  void apply(std::size_t i) {
    LinearOp answer = history_[i];
    const bool present = value_ != 0;
    const bool same = present && version_ == answer.if_version;
    const auto change = [&](std::uint64_t value) {
      value_ = value;
      last_version_ += 1 + pick(2);
      answer.version = version_ = last_version_;
    };
    const auto refuse = [&](Code code) {
      answer.code = code;
      answer.version = present ? version_ : 0;
    };
    switch (answer.kind) {
      case LinearKind::kGet:
        if (!present) {
          refuse(Code::kNotFound);
        } else {
          answer.value_read = value_;
          answer.version = version_;
        }
        break;
      case LinearKind::kPut:
        change(answer.value);
        break;
      case LinearKind::kPutIfAbsent:
        present ? refuse(Code::kExists) : change(answer.value);
        break;
      case LinearKind::kPutIfPresent:
        present ? change(answer.value) : refuse(Code::kNotFound);
        break;
      case LinearKind::kPutIfVersion:
        same ? change(answer.value) : refuse(Code::kVersionMismatch);
        break;
      case LinearKind::kDelete:
        change(0);
        // As a node of another kind would, which tells no version.
        if (pick(3) == 0) answer.version = 0;
        break;
      case LinearKind::kDeleteIfVersion:
        same ? change(0) : refuse(present ? Code::kVersionMismatch : Code::kNotFound);
        if (same && pick(3) == 0) answer.version = 0;
        break;
    }
    const bool lost = history_[i].returned != 0;
    if (!lost) history_[i] = answer;
  }

  const RandomHistoryOptions options_;
  std::mt19937_64& random_;
  std::vector<Client> clients_;
  std::vector<LinearOp> history_;
  std::vector<std::size_t> late_, waiting_;
  std::int64_t now_ = 0;
  std::uint64_t last_value_ = 0, value_ = 0, version_ = 0, last_version_ = 1;
};

}  // namespace

std::vector<LinearOp> random_history(const RandomHistoryOptions& options, std::mt19937_64& random) {
  return Simulation(options, random).run();
}

void damage(std::vector<LinearOp>& history, std::mt19937_64& random) {
  const auto pick = [&random](std::uint64_t count) { return random() % count; };
  for (std::uint64_t i = 0; i < 1 + pick(3) && !history.empty(); ++i) {
    LinearOp& op = history[pick(history.size())];
    LinearOp& other = history[pick(history.size())];
    switch (pick(5)) {
      case 0:
        if (op.version != 0) op.version = op.version + pick(5) - 2;
        break;
      case 1:  // another answer of an operation of the same kind
        if (!op.answered || !other.answered || op.kind != other.kind) break;
        std::swap(op.code, other.code);
        std::swap(op.version, other.version);
        std::swap(op.value_read, other.value_read);
        break;
      case 2:
        op.invoked = std::max<std::int64_t>(1, op.invoked - static_cast<std::int64_t>(pick(8)));
        break;
      case 3:
        if (op.returned != kNever && op.returned > op.invoked) --op.returned;
        break;
      default:
        history.erase(history.begin() + static_cast<std::ptrdiff_t>(pick(history.size())));
        break;
    }
  }
}

void drop_unknown_conditions(std::vector<LinearOp>& history) {
  std::set<std::uint64_t> named, read;
  for (const LinearOp& op : history) {
    if (!op.answered) continue;
    named.insert(op.version);
    if (op.code == Code::kOk) named.insert(op.if_version);
    read.insert(op.value_read);
  }
  for (const LinearOp& op : history) {
    if (!op.answered && is_put(op.kind) && read.count(op.value) != 0) named.insert(op.if_version);
  }
  std::erase_if(history, [&](const LinearOp& op) {
    return !op.answered && op.if_version != 0 && named.count(op.if_version) == 0;
  });
}

}  // namespace edged::soak
