// SPDX-License-Identifier: Apache-2.0
// The power goes at a random file operation: while opening, writing, flushing, compacting or
// closing. The fault file system then leaves what a disk may hold (tests/support/disk_model.h).
#include <memory>
#include <random>

#include "kvstore/storage/rocks_store.h"
#include "proto/base/log.h"
#include "tests/soak/soak.h"
#include "tests/soak/workload.h"
#include "tests/support/fault_file_system.h"

namespace edged::soak {
namespace {

constexpr unsigned kSyncOneIn = 30;
constexpr int kBurstsMax = 60;

class PowerSoak {
 public:
  explicit PowerSoak(const SoakOptions& options)
      : options_(options),
        random_(options.seed),
        files_(std::make_shared<test::FaultFileSystem>(options.directory + "/data",
                                                       options.directory + "/trash")),
        workload_(clock_, random_, last_value_, kSyncOneIn) {
    files_->lie_about_syncs(options.canary);
  }

  // One boot of the machine, to its end. What went wrong.
  std::string cycle() {
    const bool while_opening = random_() % 5 == 0;
    files_->cut_power_after(while_opening ? random_() % 120 : 200 + random_() % 400);
    std::string wrong = live();
    files_->cut_power();
    store_.reset();
    files_->restore_power(random_);
    boot_ = "boot " + std::to_string(1'000'000'000 + ++boots_) + " ";
    clock_.advance(static_cast<std::int64_t>(1 + random_() % 5000));
    return wrong;
  }

  std::uint64_t operations() const { return operations_; }
  std::uint64_t audits() const { return audits_; }
  std::uint64_t lost_unsynced() const { return lost_; }

 private:
  std::string live() {
    if (std::string wrong = open(); !wrong.empty() || !store_) return wrong;
    Journal& next = *journals_[1];
    const std::uint64_t submitted = journals_[0]->submitted.load();
    std::string wrong =
        audit(*store_, ns_, *journals_[0], promised(*journals_[0], true), clock_.now_ms(), next);
    // Reading may meet the cut too.
    if (!wrong.empty()) return files_->power_is_off() ? "" : wrong;
    ++audits_;
    operations_ += submitted;
    lost_ += store_->stats().recovered_lost_writes;
    std::swap(journals_[0], journals_[1]);
    workload_.begin(*journals_[0]);
    for (int i = 0; i < kBurstsMax && !files_->power_is_off(); ++i) {
      const auto ended = workload_.burst(*store_, ns_, *journals_[0], false);
      if (ended == Workload::Ended::kWrong) return workload_.wrong();
      if (ended == Workload::Ended::kFailed) {
        return files_->power_is_off() ? "" : "a write failed on a disk without faults";
      }
    }
    // The rest of the time: an orderly end, which the cut may meet.
    if (random_() % 4 == 0) store_.reset();
    return "";
  }

  // Without a store: the power went before it was open.
  std::string open() {
    storage::RocksStoreOptions options;
    options.data_dir = options_.directory + "/data";
    options.file_system = files_;
    options.memory_budget_bytes = 8 * 1024 * 1024;
    options.clock = &clock_;
    options.synchronised = [](WallTime) { return false; };
    options.boot_id = boot_;
    options.expiry_grace = std::chrono::milliseconds(0);
    options.reclaim_interval = std::chrono::milliseconds(50);
    auto opened = storage::open_rocks_store(options);
    if (!opened) return files_->power_is_off() ? "" : opened.error().to_string();
    store_ = std::move(*opened);
    auto ns = store_->find_namespace("default");
    if (!ns) ns = store_->create_namespace("default", "");
    if (!ns) {
      store_.reset();
      return files_->power_is_off() ? "" : ns.error().to_string();
    }
    ns_ = ns->number;
    return "";
  }

  const SoakOptions options_;
  SharedClock clock_;
  std::mt19937_64 random_;
  std::shared_ptr<test::FaultFileSystem> files_;
  std::atomic<std::uint64_t> last_value_{0};
  Workload workload_;
  std::unique_ptr<Journal> journals_[2] = {std::make_unique<Journal>(),
                                           std::make_unique<Journal>()};
  std::unique_ptr<storage::Store> store_;
  storage::NamespaceNumber ns_ = 0;
  std::string boot_ = "boot 1000000000 ";
  std::uint64_t boots_ = 0, operations_ = 0, audits_ = 0, lost_ = 0;
};

}  // namespace

SoakResult run_power(const SoakOptions& options) {
  log::set_level(log::Level::kOff);
  PowerSoak soak(options);
  Progress progress(options);
  SoakResult result;
  std::uint64_t cycle = 0;
  for (; cycle < options.cycles; ++cycle) {
    result.failure = soak.cycle();
    if (!result.failure.empty()) {
      result.failure = "cycle " + std::to_string(cycle) + ": " + result.failure;
      break;
    }
    if (!progress.next(cycle, figure(soak.operations(), "operations"))) break;
  }
  result.summary = figure(cycle, "power cuts, ") + figure(soak.audits(), "audits, ") +
                   figure(soak.operations(), "operations, ") +
                   figure(soak.lost_unsynced(), "unsynced operations lost as they may be, ") +
                   figure(progress.seconds(), "s");
  return result;
}

}  // namespace edged::soak
