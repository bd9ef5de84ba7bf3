// SPDX-License-Identifier: Apache-2.0
// The n-th file operation of a life of the store fails, for n = 0, 1, 2, … until a life passes
// without meeting the fault. Never a wrong answer, never an abort: errors are Status, and once the
// disk is well again everything acknowledged is there.
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "proto/base/log.h"
#include "tests/kvstore/store_fixture.h"
#include "tests/support/fault_file_system.h"

namespace edged::storage {
namespace {

constexpr char kAbsent[] = "(none)";

struct SweepCase {
  const char* name;
  test::Fault fault;
  bool for_good;
};

class StoreSweepTest : public StoreFixture, public ::testing::WithParamInterface<SweepCase> {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    log::set_level(log::Level::kOff);
    files_ = std::make_shared<test::FaultFileSystem>(dir_.path() + "/data", dir_.path() + "/trash");
    options_.file_system = files_;
    options_.memory_budget_bytes = 8 * 1024 * 1024;  // memtables of 1 MiB
  }
  void TearDown() override { log::set_level(log::Level::kInfo); }

  // False: the fault came in the way.
  bool try_open() {
    auto opened = open_rocks_store(options_);
    if (!opened) return false;
    store_ = std::move(*opened);
    if (store_->list_namespaces().empty() && !store_->create_namespace("default", "")) {
      clock_.advance(std::chrono::seconds(2));
    }
    if (store_->list_namespaces().empty()) return false;
    ns_ = store_->list_namespaces().front().number;
    return true;
  }

  void try_write(const std::string& key, const std::string& value, Durability durability) {
    lawful_.try_emplace(key, std::set<std::string>{kAbsent});
    Operation operation = Delete{ns_, key};
    if (value != kAbsent) operation = put_of(key, value);
    const auto outcome = write(std::move(operation), durability);
    if (outcome.code == Code::kOk) {
      lawful_[key] = {value};
    } else {
      lawful_[key].insert(value);  // it may have happened
      clock_.advance(std::chrono::seconds(2));
    }
  }

  void check(const std::string& key, bool errors_allowed) {
    const auto entry = store_->get(ns_, key, ReadTier::kDisk);
    if (!entry && entry.code() != Code::kNotFound) {
      ASSERT_TRUE(errors_allowed) << entry.error().to_string();
      return;
    }
    const std::string found = entry ? entry->value : kAbsent;
    ASSERT_TRUE(lawful_[key].contains(found))
        << key << " is " << found.substr(0, 20) << ", " << lawful_[key].size() << " lawful";
  }

  void live() {
    for (int life = 0; life < 3; ++life) {
      if (!try_open()) return;
      for (int i = 0; i < 6; ++i) {
        const std::string value = std::to_string(life) + "." + std::to_string(i);
        try_write("wal" + std::to_string(i), value, Durability::kWal);
        try_write("sync" + std::to_string(i % 3), value, Durability::kSync);
      }
      // More than a memtable: flushes, and by the third life compactions.
      for (int i = 0; i < 4; ++i) {
        try_write("large" + std::to_string(i),
                  std::string(300'000, static_cast<char>('a' + life)),
                  i == 3 ? Durability::kSync : Durability::kWal);
      }
      try_write("wal0", kAbsent, Durability::kWal);
      for (const auto& [key, values] : lawful_) {
        check(key, true);
        if (HasFatalFailure()) return;
      }
      close();
    }
  }

  // One life with the fault, one without. True: the fault was met.
  bool sweep_once(std::uint64_t n) {
    const SweepCase& kind = GetParam();
    std::filesystem::remove_all(options_.data_dir);
    lawful_.clear();
    files_->fail_at(n, kind.fault, kind.for_good);
    live();
    close();
    files_->heal();
    if (HasFatalFailure()) return false;
    open();
    if (HasFatalFailure()) return false;
    for (const auto& [key, values] : lawful_) {
      check(key, false);
      if (HasFatalFailure()) return false;
    }
    close();
    return files_->failed();
  }

  std::shared_ptr<test::FaultFileSystem> files_;
  std::map<std::string, std::set<std::string>> lawful_;
};

// EDGED_SWEEP_STRIDE=1 tries every operation, which takes minutes; else a different sample each
// time.
TEST_P(StoreSweepTest, NeitherLosesNorInventsNorAborts) {
  const char* given = std::getenv("EDGED_SWEEP_STRIDE");
  const std::uint64_t stride = given != nullptr ? std::strtoull(given, nullptr, 10) : 23;
  ASSERT_GT(stride, 0U);
  open();
  const bool has_assertions = store_->stats().engine.starts_with("rocksdb 7.");
  close();
  if (has_assertions && given == nullptr) {
    GTEST_SKIP() << "Debian's RocksDB 7.8.3 is built with its assertions: a failed opening may "
                    "abort in ~ColumnFamilySet. docs/testing.md; EDGED_SWEEP_STRIDE tries anyway";
  }
  std::uint64_t n = std::random_device{}() % stride;
  std::uint64_t tried = 0;
  for (bool met = true; met; n += stride, ++tried) {
    SCOPED_TRACE("operation " + std::to_string(n));
    met = sweep_once(n);
    if (HasFatalFailure()) FAIL() << "at " << n << ": " << files_->failed_operation();
  }
  std::cout << "operations up to " << n - stride << ", " << tried << " tried\n";
  EXPECT_GT(n, 200U) << "the scenario is too short to say much";
}

INSTANTIATE_TEST_SUITE_P(Faults,
                         StoreSweepTest,
                         ::testing::Values(SweepCase{"Eio", test::Fault::kIoError, false},
                                           SweepCase{"EioForGood", test::Fault::kIoError, true},
                                           SweepCase{"Enospc", test::Fault::kNoSpace, false},
                                           SweepCase{"EnospcForGood", test::Fault::kNoSpace, true},
                                           SweepCase{"ShortWrite", test::Fault::kShortWrite, false},
                                           SweepCase{
                                               "ShortForGood", test::Fault::kShortWrite, true}),
                         [](const auto& param) { return std::string(param.param.name); });

class StoreSlowSyncTest : public StoreFixture {};

TEST_F(StoreSlowSyncTest, ReadsGoOnAndNothingIsAcknowledgedBeforeItsSync) {
  auto files =
      std::make_shared<test::FaultFileSystem>(dir_.path() + "/data", dir_.path() + "/trash");
  options_.file_system = files;
  open();
  put("k", "old");
  struct Sync {
    std::promise<void> begun;
    std::atomic<bool> first{true};
  };
  // The store syncs after this test's body too, when it closes.
  const auto sync = std::make_shared<Sync>();
  std::promise<void> release;
  files->set_sync_hook([sync, released = release.get_future().share()] {
    if (sync->first.exchange(false)) sync->begun.set_value();
    released.wait();
  });
  std::promise<void> answered;
  auto answer = answered.get_future();
  store_->submit({{put_of("k", "new")}, Durability::kSync}, [&](auto) { answered.set_value(); });
  sync->begun.get_future().wait();
  EXPECT_EQ(value_of("k"), "old");
  EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  release.set_value();
  answer.wait();
  EXPECT_EQ(value_of("k"), "new");
}

}  // namespace
}  // namespace edged::storage
