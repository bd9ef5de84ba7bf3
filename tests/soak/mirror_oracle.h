// SPDX-License-Identifier: Apache-2.0
// What PostgreSQL's tables held, key by key and in order, and whether an answer of the node may be
// given: not older than its fresh_as_of claims, and no version behind one that was read before. Any
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace edged::soak {

// By the machine's clock, since 1970.
std::int64_t wall_ms();

// A key after a transaction. Versions are those of transactions and never repeat.
struct RowState {
  static constexpr std::int64_t kPending = std::numeric_limits<std::int64_t>::max();

  std::uint64_t version = 0;
  bool present = false;
  bool passing = false;         // the transaction had a TRUNCATE: what it was within may be seen
  std::uint64_t body = 0;       // which large value; 0: there is none
  std::int64_t expires_ms = 0;  // since 1970; 0: never
  std::int64_t before_ms = 0;   // the commit was sent after this
  std::int64_t after_ms = 0;  // and acknowledged before this; kPending: not known to have happened
  bool seen = false;
};

using Changes = std::map<std::string, RowState>;

// One answer of the node.
struct Answer {
  bool present = false;
  std::uint64_t version = 0, body = 0;
  std::string value;  // for people
  std::optional<std::int64_t> fresh_ms;
  std::string position;
  std::int64_t asked_ms = 0, answered_ms = 0;
  // The publication has changed since fresh_as_of: of a transaction a part may not have been sent,
  // so beyond fresh_as_of nothing is promised.
  bool unsettled = false;
};

class Oracle {
 public:
  // What an answer must not be older than, whatever it claims; taken before the node is asked.
  struct Ticket {
    std::uint64_t epoch = 0;
    std::size_t floor = 0;   // of the key's states
    bool recovered = false;  // the node was seen to have what is there since the last reset
  };
  enum class Verdict { kGood, kUnjudged, kBroken };
  struct Judgement {
    Verdict verdict = Verdict::kGood;
    std::string why;
  };

  std::uint64_t next_version() { return versions_.fetch_add(kVersionStep); }
  static constexpr std::uint64_t kVersionStep = 10;  // between are those that nobody may see

  // Before COMMIT is sent; then one of the others, once it is known what became of it.
  void begin(const Changes& changes);
  void commit(const Changes& changes);
  // What is broken by it; empty: nothing.
  std::string abort(const Changes& changes);

  // The tables are what `states` says, and nothing else; true of answers from now on.
  void reset(const Changes& states);
  std::int64_t since_ms() const;

  // Those whose last state is present and that begin with `prefix`.
  std::vector<std::string> present_keys(const std::string& prefix) const;

  // A column of the whole rows under `prefix` that each answer of later than now must show, until
  // another is named; empty: none.
  void require_column(const std::string& prefix, const std::string& column);

  Ticket ticket(const std::string& key) const;
  // As above, for who has written `version` and asks for its position; nothing if a reset has made
  // it unknown.
  std::optional<Ticket> ticket_behind(const std::string& key, std::uint64_t version) const;
  Judgement judge(const std::string& key, const Ticket& ticket, const Answer& answer);

 private:
  struct History {
    std::vector<RowState> states;  // in the order of their commits
    std::size_t high = 0;          // the newest that was read
  };
  struct Column {
    std::string name;
    std::int64_t since_ms = 0;
  };

  const History& history_of(const std::string& key) const;
  std::string why_not(const History& history,
                      const Ticket& ticket,
                      const Answer& answer,
                      std::size_t* found) const;
  std::string missing_column(const std::string& key, const Answer& answer) const;
  static std::string describe(const std::string& key, const History& history, const Answer& answer);

  std::atomic<std::uint64_t> versions_{kVersionStep};
  mutable std::mutex mutex_;  // guards all below
  std::unordered_map<std::string, History> histories_;
  std::map<std::string, Column> columns_;  // by prefix
  std::uint64_t epoch_ = 0;
  std::int64_t since_ms_ = 0;
  bool recovered_ = true;
};

}  // namespace edged::soak
