// SPDX-License-Identifier: Apache-2.0
// Many operations in large writes against a std::map, with reopenings, kills, power cuts, time that
// passes, and wall clocks that are set wrong and back. Writes before a power cut are synced, so
// that the map says exactly what must be there.
#include <future>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "kvstore/storage/rocks_store.h"
#include "proto/base/log.h"
#include "tests/soak/journal.h"
#include "tests/soak/soak.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/manual_clock.h"

namespace edged::soak {
namespace {

using storage::Condition;
using storage::Durability;

constexpr std::uint32_t kModelKeys = 3000;
constexpr std::size_t kWritesPerBurst = 8;
constexpr std::size_t kOperationsPerWrite = 250;
// A step is taken back before it could be believed, which takes 10 minutes.
constexpr int kEventsWithStepMax = 50;

class ModelSoak {
 public:
  explicit ModelSoak(const SoakOptions& options)
      : options_(options),
        random_(options.seed),
        files_(std::make_shared<test::FaultFileSystem>(options.directory + "/data",
                                                       options.directory + "/trash")),
        node_ms_(to_unix_ms(clock_.wall_now())) {}

  // Opens for the first time. Each of these says what went wrong.
  std::string begin() { return open(); }
  // One event: most often a burst of writes.
  std::string event();
  std::string compare();

  std::uint64_t operations() const { return operations_; }
  std::string figures() const {
    return figure(operations_, "operations, ") + figure(reopenings_, "reopenings, ") +
           figure(kills_, "kills, ") + figure(cuts_, "power cuts, ") +
           figure(steps_, "clock steps, ") + figure(comparisons_, "comparisons of everything");
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  std::string open();
  std::string burst(Durability durability);
  std::string crash(bool power);
  Planned plan();
  void pass_time(std::int64_t ms);
  void step_clock();

  const SoakOptions options_;
  std::mt19937_64 random_;
  test::ManualClock clock_;
  std::shared_ptr<test::FaultFileSystem> files_;
  std::unique_ptr<storage::Store> store_;
  storage::NamespaceNumber ns_ = 0;
  std::map<std::uint32_t, KeyState> model_;
  std::int64_t node_ms_;
  std::int64_t step_ms_ = 0;
  int events_with_step_ = 0;
  storage::Version last_version_ = 0;
  std::uint64_t last_value_ = 0;
  std::uint64_t operations_ = 0, reopenings_ = 0, kills_ = 0, cuts_ = 0, steps_ = 0,
                comparisons_ = 0;
};

std::string ModelSoak::open() {
  storage::RocksStoreOptions options;
  options.data_dir = options_.directory + "/data";
  options.file_system = files_;
  options.memory_budget_bytes = 16 * 1024 * 1024;
  options.clock = &clock_;
  options.synchronised = [](WallTime) { return false; };
  options.boot_id = "boot " + std::to_string(1'000'000'000 + cuts_) + " ";
  options.expiry_grace = std::chrono::milliseconds(0);
  options.reclaim_interval = std::chrono::milliseconds(200);
  auto opened = storage::open_rocks_store(options);
  if (!opened) return opened.error().to_string();
  store_ = std::move(*opened);
  auto ns = store_->find_namespace("default");
  if (!ns) ns = store_->create_namespace("default", "");
  if (!ns) return ns.error().to_string();
  ns_ = ns->number;
  return "";
}

void ModelSoak::pass_time(std::int64_t ms) {
  clock_.advance(std::chrono::milliseconds(ms));
  node_ms_ += ms;
}

void ModelSoak::step_clock() {
  if (step_ms_ != 0) {
    clock_.step_wall(std::chrono::milliseconds(-step_ms_));
    step_ms_ = 0;
    return;
  }
  constexpr std::int64_t kTenYearsMs = 10LL * 365 * 86'400'000;
  step_ms_ = static_cast<std::int64_t>(61'000 + pick(kTenYearsMs)) * (pick(2) == 0 ? 1 : -1);
  events_with_step_ = 0;
  clock_.step_wall(std::chrono::milliseconds(step_ms_));
  ++steps_;
}

Planned ModelSoak::plan() {
  Planned planned;
  planned.key = static_cast<std::uint32_t>(pick(kModelKeys));
  planned.now_ms = node_ms_;
  planned.verb = pick(5) == 0 ? Verb::kDelete : pick(10) == 0 ? Verb::kTouch : Verb::kPut;
  const auto condition = pick(6);
  if (condition == 1 && planned.verb == Verb::kPut) planned.condition = Condition::kAbsent;
  if (condition == 2 && planned.verb != Verb::kTouch) planned.condition = Condition::kPresent;
  if (condition == 3) {
    planned.condition = Condition::kVersion;
    planned.condition_version = std::max<storage::Version>(1, model_[planned.key].version);
  }
  planned.value = ++last_value_;
  if (pick(3) == 0) planned.ttl_ms = static_cast<std::int64_t>(1 + pick(20'000));
  return planned;
}

std::string ModelSoak::burst(Durability durability) {
  std::vector<std::vector<Planned>> plans(kWritesPerBurst);
  std::vector<std::future<Result<std::vector<storage::WriteOutcome>>>> answers;
  for (auto& of_write : plans) {
    storage::Write write;
    write.durability = durability;
    for (std::size_t i = 0; i < kOperationsPerWrite; ++i) {
      of_write.push_back(plan());
      write.operations.push_back(operation_of(ns_, of_write.back()));
      if (auto* put = std::get_if<storage::Put>(&write.operations.back())) {
        put->value = std::to_string(of_write.back().value);
      }
    }
    auto promise = std::make_shared<std::promise<Result<std::vector<storage::WriteOutcome>>>>();
    answers.push_back(promise->get_future());
    store_->submit(std::move(write), [promise](auto outcomes) { promise->set_value(outcomes); });
  }
  for (std::size_t w = 0; w < plans.size(); ++w) {
    const auto outcomes = answers[w].get();
    if (!outcomes) return "a write failed: " + outcomes.error().to_string();
    for (std::size_t i = 0; i < plans[w].size(); ++i) {
      const storage::WriteOutcome& outcome = (*outcomes)[i];
      const Planned& planned = plans[w][i];
      const Code expected = apply(model_[planned.key], planned, outcome.version);
      if (outcome.code != expected) {
        return key_of(planned.key) + ": answered " + std::string(code_name(outcome.code)) +
               ", expected " + std::string(code_name(expected));
      }
      if (outcome.code != Code::kOk) continue;
      if (outcome.version <= last_version_) return key_of(planned.key) + ": version went back";
      last_version_ = outcome.version;
    }
    operations_ += plans[w].size();
  }
  // Versions are microseconds: time keeps ahead of them.
  pass_time(static_cast<std::int64_t>(5 + pick(20)));
  return "";
}

std::string ModelSoak::compare() {
  ++comparisons_;
  std::erase_if(model_, [this](const auto& key) { return !key.second.present(node_ms_); });
  std::map<std::string, KeyState> expected;
  for (const auto& [key, state] : model_) expected.emplace(key_of(key), state);
  storage::ListRequest request{ns_, "", "", 1000, true};
  for (bool complete = false; !complete;) {
    const auto page = store_->list(request);
    if (!page) return page.error().to_string();
    for (const auto& item : page->items) {
      const auto found = expected.find(item.key);
      if (found == expected.end()) return item.key + " should be absent";
      const KeyState& state = found->second;
      const auto& expires_at = item.entry.expires_at;
      if (item.entry.value != std::to_string(state.value)) return item.key + ": other value";
      if (item.entry.version != state.version) return item.key + ": other version";
      if ((expires_at ? to_unix_ms(*expires_at) : 0) != state.expires_ms) {
        return item.key + ": other expiry";
      }
      expected.erase(found);
    }
    complete = page->complete;
    request.start_after = page->next_after;
  }
  return expected.empty() ? "" : expected.begin()->first + " is gone";
}

std::string ModelSoak::crash(bool power) {
  if (power) {
    if (step_ms_ != 0) step_clock();  // after a reboot the wall clock is believed
    if (std::string wrong = burst(Durability::kSync); !wrong.empty()) return wrong;
  }
  files_->cut_power();
  store_.reset();
  if (power) {
    ++cuts_;
    files_->restore_power(random_);
  } else {
    ++kills_;
    files_->revive();
  }
  if (std::string wrong = open(); !wrong.empty()) return wrong;
  return compare();
}

std::string ModelSoak::event() {
  if (step_ms_ != 0 && ++events_with_step_ > kEventsWithStepMax) step_clock();
  const auto kind = pick(1000);
  if (kind < 3) return crash(kind == 0);
  if (kind < 6) {
    ++reopenings_;
    store_.reset();
    return open();
  }
  if (kind < 16) {
    step_clock();
    return "";
  }
  if (kind < 60) {
    pass_time(static_cast<std::int64_t>(pick(5000)));
    return "";
  }
  if (kind < 80) return compare();
  return burst(pick(200) == 0 ? Durability::kSync : Durability::kWal);
}

}  // namespace

SoakResult run_model(const SoakOptions& options) {
  log::set_level(log::Level::kOff);
  ModelSoak soak(options);
  Progress progress(options);
  SoakResult result;
  result.failure = soak.begin();
  while (result.failure.empty() && soak.operations() < options.cycles) {
    result.failure = soak.event();
    if (!progress.next(soak.operations(), soak.figures())) break;
  }
  if (result.failure.empty()) result.failure = soak.compare();
  if (!result.failure.empty()) {
    result.failure = "after " + figure(soak.operations(), "operations: ") + result.failure;
  }
  result.summary = soak.figures() + ", " + figure(progress.seconds(), "s");
  return result;
}

}  // namespace edged::soak
