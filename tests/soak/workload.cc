// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/workload.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace edged::soak {
namespace {

constexpr std::uint64_t kBurstMax = 16;

// Counts answers down.
class Answers {
 public:
  explicit Answers(std::size_t expected) : missing_(expected) {}
  void arrived(bool failed) {
    const std::lock_guard lock(mutex_);
    failed_ = failed_ || failed;
    if (--missing_ == 0) wake_.notify_one();
  }
  // True: all were outcomes.
  bool wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return missing_ == 0; });
    return !failed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::size_t missing_;
  bool failed_ = false;
};

}  // namespace

Planned Workload::plan(bool race, std::uint32_t race_key) {
  Planned planned;
  planned.key = race ? race_key : static_cast<std::uint32_t>(pick(kKeys));
  planned.now_ms = clock_.now_ms();
  planned.sync = pick(sync_one_in_) == 0;
  if (pick(3) == 0) planned.ttl_ms = static_cast<std::int64_t>(1 + pick(20'000));
  const auto verb = pick(10);
  if (planned.key < kCounters) {
    planned.verb = verb == 0 ? Verb::kDelete : Verb::kAdd;
    planned.value = 1 + pick(5);
    return planned;
  }
  planned.value = last_value_.fetch_add(1) + 1;
  if (race) {
    planned.condition = storage::Condition::kAbsent;
    return planned;
  }
  planned.verb = verb < 2 ? Verb::kDelete : verb == 2 ? Verb::kTouch : Verb::kPut;
  const auto condition = pick(6);
  if (condition == 0) planned.condition = storage::Condition::kVersion;
  if (condition == 1 && planned.verb != Verb::kTouch) {
    planned.condition = storage::Condition::kPresent;
  }
  if (condition == 2 && planned.verb == Verb::kPut) {
    planned.condition = storage::Condition::kAbsent;
  }
  if (planned.condition == storage::Condition::kVersion) {
    const storage::Version known = model_[planned.key].version;
    planned.condition_version = known == 0 || pick(3) == 0 ? 1 : known;
  }
  return planned;
}

void Workload::plan_all(Journal& journal, std::uint64_t first, std::uint64_t count) {
  const bool race = pick(6) == 0;
  const auto race_key = static_cast<std::uint32_t>(kCounters + pick(kKeys - kCounters));
  for (std::uint64_t i = first; i < first + count; ++i) {
    JournalEntry& entry = journal.entries[i];
    entry.acknowledged.store(false);
    entry.plan = plan(race, race_key);
    const bool second = i > first && journal.entries[i - 1].plan.with_next;
    if (second) {
      const Planned& partner = journal.entries[i - 1].plan;
      entry.plan.sync = partner.sync;
      while (entry.plan.key == partner.key) entry.plan = plan(false, 0);
      entry.plan.sync = partner.sync;
    }
    entry.plan.with_next = !second && !race && i + 1 < first + count && pick(8) == 0;
  }
}

Workload::Ended Workload::burst(storage::Store& store,
                                storage::NamespaceNumber ns,
                                Journal& journal,
                                bool acknowledge_early) {
  const std::uint64_t first = journal.submitted.load();
  const std::uint64_t count = 1 + pick(kBurstMax);
  plan_all(journal, first, count);
  Answers answers(count);
  for (std::uint64_t i = first; i < first + count; ++i) {
    JournalEntry* const entry = &journal.entries[i];
    storage::Write write;
    write.atomic = entry->plan.with_next;
    write.durability = entry->plan.sync ? storage::Durability::kSync : storage::Durability::kWal;
    write.operations.push_back(operation_of(ns, entry->plan));
    if (write.atomic) write.operations.push_back(operation_of(ns, journal.entries[++i].plan));
    const std::size_t operations = write.operations.size();
    journal.submitted.store(i + 1);
    if (acknowledge_early) entry->acknowledged.store(true);
    store.submit(std::move(write), [entry, operations, &answers](auto outcomes) {
      for (std::size_t n = 0; n < operations; ++n) {
        // A condition that could not be read is an answer about this operation alone.
        const bool failed = !outcomes || (*outcomes)[n].code == Code::kIoError;
        if (!failed) {
          entry[n].code = (*outcomes)[n].code;
          entry[n].version = entry[n].code == Code::kOk ? (*outcomes)[n].version : 0;
          entry[n].acknowledged.store(true);
        }
        answers.arrived(failed);
      }
    });
  }
  if (!answers.wait()) return Ended::kFailed;
  judge(journal, first);
  // At least 1 ms for the versions used up, of which each is a microsecond.
  clock_.advance(static_cast<std::int64_t>(1 + pick(pick(8) == 0 ? 4000 : 20)));
  return wrong_.empty() ? Ended::kAnswered : Ended::kWrong;
}

void Workload::judge(Journal& journal, std::uint64_t first) {
  const std::uint64_t end = journal.submitted.load();
  storage::Version last = journal.base_version;
  for (std::uint64_t i = 0; i < first; ++i) last = std::max(last, journal.entries[i].version);
  for (std::uint64_t i = first; i < end;) {
    std::array<Code, 2> expected{};
    const std::size_t operations = apply_at(model_, journal, i, expected);
    for (std::size_t n = 0; n < operations; ++n, ++i) {
      const JournalEntry& entry = journal.entries[i];
      if (entry.code != expected[n]) {
        wrong_ = key_of(entry.plan.key) + ": answered " + std::string(code_name(entry.code)) +
                 ", expected " + std::string(code_name(expected[n]));
      }
      if (entry.code != Code::kOk) continue;
      if (entry.version <= last) wrong_ = key_of(entry.plan.key) + ": version went back";
      last = entry.version;
    }
  }
}

}  // namespace edged::soak
