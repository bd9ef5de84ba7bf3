// SPDX-License-Identifier: Apache-2.0
// One store whose writer was killed, opened again and again with its log damaged in another way
// each time. What may come of it: everything acknowledged is there (of another boot: everything
// synced, and the first so many writes of the rest), or a refusal that leaves the files alone. One
// thread; the child it forks only writes.
#pragma once

#include <string>

#include "kvstore/storage/rocks_store.h"
#include "tests/support/manual_clock.h"

namespace edged::test {

class DamagedStore {
 public:
  static constexpr int kEntries = 200;
  static constexpr int kSynced = 100;  // the first so many

  enum class Boot { kSame, kNew };
  struct Outcome {
    bool refused = false;
    std::string message;  // of the refusal
    int present = 0;      // how many entries
    std::string wrong;    // what breaks the promise; empty: nothing
  };

  // In `directory`, which must exist and be empty.
  explicit DamagedStore(std::string directory);

  const std::string& log() const { return log_; }  // undamaged; about 64 KiB
  Outcome open_with(const std::string& log, Boot boot);

 private:
  void write_and_die();
  void restore();
  Outcome judge(storage::Store& store, Boot boot) const;

  const std::string original_;
  const std::string copy_;
  ManualClock clock_;
  std::string log_name_;
  std::string log_;
  std::string mark_;
  bool clean_ = false;  // the copy is as the kill left it, but for its log
};

}  // namespace edged::test
