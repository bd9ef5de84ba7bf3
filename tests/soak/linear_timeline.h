// SPDX-License-Identifier: Apache-2.0
// What the answers of one key's history say without regard to time: the order of all writes whose
// version is known, and what each operation has to do with that order. First half of the judge in
// linear_checker.h. Value type; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/soak/linear_history.h"

namespace edged::soak {

inline constexpr std::size_t kNoOp = SIZE_MAX;

// A write whose version somebody was told. All of them took effect, in the order of versions.
struct LinearWrite {
  std::uint64_t version = 0;
  std::size_t op = kNoOp;  // kNoOp: a put without an answer, it is not known which
};

struct LinearRole {
  enum class Kind {
    kNone,           // says nothing, or cannot have taken effect
    kWrite,          // is the write at `position`
    kSeesEntry,      // found the entry that the write at `position` had made
    kSeesNothing,    // found the key absent
    kDeletes,        // an answered delete that did not tell a version: the key is absent behind it
    kDeletesEntry,   // the same, of the entry made by the write at `position`
    kMaybePut,       // without an answer, and nobody saw its value: at most once, or never
    kMaybeDelete,    // without an answer
    kMaybeReplaces,  // a put if the entry is that of `position`, without an answer
    kMaybeRemoves,   // a delete if the entry is that of `position`, without an answer
  };
  Kind kind = Kind::kNone;
  std::size_t position = 0;  // in LinearTimeline::writes
};

class LinearTimeline {
 public:
  explicit LinearTimeline(const std::vector<LinearOp>& history);

  // Not empty if the answers contradict each other whatever the times are.
  const std::string& contradiction() const { return contradiction_; }
  const std::vector<LinearWrite>& writes() const { return writes_; }
  const std::vector<LinearRole>& roles() const { return roles_; }  // one for each operation

 private:
  void refuse(const std::string& why, const LinearOp& op);
  void note_values();
  void note_answer(std::size_t i);
  void note_read(const LinearOp& op);
  void note_owner(std::uint64_t version, std::size_t i);
  void note_named(std::uint64_t version, const LinearOp& op);
  void note_seen_conditions();
  void order_writes();
  LinearRole role_of(std::size_t i) const;
  LinearRole role_of_answered(const LinearOp& op) const;
  LinearRole at_version(LinearRole::Kind kind, std::uint64_t version) const;

  const std::vector<LinearOp>& history_;
  std::string contradiction_;
  std::unordered_map<std::uint64_t, std::size_t> putters_;    // value: the operation that puts it
  std::unordered_map<std::uint64_t, std::size_t> owners_;     // version: its operation, or kNoOp
  std::unordered_map<std::uint64_t, std::size_t> positions_;  // version: where in writes_
  std::vector<std::uint64_t> own_versions_;                   // of each operation; 0: not known
  std::vector<LinearWrite> writes_;
  std::vector<LinearRole> roles_;
};

}  // namespace edged::soak
