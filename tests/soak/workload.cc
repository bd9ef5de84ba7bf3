// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/workload.h"

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
  planned.is_delete = !race && pick(5) == 0;
  if (race) {
    planned.condition = storage::Condition::kAbsent;
  } else if (pick(2) == 0) {
    constexpr storage::Condition kConditions[] = {
        storage::Condition::kPresent, storage::Condition::kVersion, storage::Condition::kAbsent};
    planned.condition = kConditions[pick(planned.is_delete ? 2 : 3)];
  }
  if (planned.condition == storage::Condition::kVersion) {
    const storage::Version known = model_[planned.key].version;
    planned.condition_version = known == 0 || pick(3) == 0 ? 1 : known;
  }
  if (!planned.is_delete) {
    planned.value = last_value_.fetch_add(1) + 1;
    if (pick(3) == 0) planned.ttl_ms = static_cast<std::int64_t>(1 + pick(20'000));
  }
  return planned;
}

Workload::Ended Workload::burst(storage::Store& store,
                                storage::NamespaceNumber ns,
                                Journal& journal,
                                bool acknowledge_early) {
  const std::uint64_t first = journal.submitted.load();
  const std::uint64_t count = 1 + pick(kBurstMax);
  const bool race = pick(6) == 0;
  const auto race_key = static_cast<std::uint32_t>(pick(kKeys));
  Answers answers(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    JournalEntry& entry = journal.entries[first + i];
    entry.plan = plan(race, race_key);
    entry.acknowledged.store(false);
    journal.submitted.store(first + i + 1);
    storage::Write write;
    write.operations.push_back(operation_of(ns, entry.plan));
    write.durability = entry.plan.sync ? storage::Durability::kSync : storage::Durability::kWal;
    if (acknowledge_early) entry.acknowledged.store(true);
    store.submit(std::move(write), [&entry, &answers](auto outcomes) {
      // A condition that could not be read is an answer about this operation alone.
      const bool failed = !outcomes || outcomes->front().code == Code::kIoError;
      if (!failed) {
        entry.code = outcomes->front().code;
        entry.version = entry.code == Code::kOk ? outcomes->front().version : 0;
        entry.acknowledged.store(true);
      }
      answers.arrived(failed);
    });
  }
  if (!answers.wait()) return Ended::kFailed;
  judge(journal, first);
  // At least 1 ms for the versions used up, of which each is a microsecond.
  clock_.advance(static_cast<std::int64_t>(1 + pick(pick(8) == 0 ? 4000 : 20)));
  return wrong_.empty() ? Ended::kAnswered : Ended::kWrong;
}

void Workload::judge(Journal& journal, std::uint64_t first) {
  storage::Version last = journal.base_version;
  for (std::uint64_t i = 0; i < journal.submitted.load(); ++i) {
    const JournalEntry& entry = journal.entries[i];
    const bool writes = entry.code == Code::kOk && !entry.plan.is_delete;
    if (i >= first) {
      const Code expected = apply(model_[entry.plan.key], entry.plan, entry.version);
      if (entry.code != expected) {
        wrong_ = key_of(entry.plan.key) + ": answered " + std::string(code_name(entry.code)) +
                 ", expected " + std::string(code_name(expected));
      }
      if (writes && entry.version <= last) wrong_ = key_of(entry.plan.key) + ": version went back";
    }
    if (writes) last = std::max(last, entry.version);
  }
}

}  // namespace edged::soak
