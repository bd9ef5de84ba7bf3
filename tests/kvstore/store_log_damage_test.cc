// SPDX-License-Identifier: Apache-2.0
// Damage to the log is never silent. A sample of what `tools/soak damage` does with every byte and
// every length; and what concerns several logs, a missing one, and --recovery=cache.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <iostream>
#include <iterator>

#include "proto/base/log.h"
#include "tests/kvstore/damaged_store.h"
#include "tests/kvstore/store_fixture.h"
#include "tests/support/fault_file_system.h"

namespace edged::storage {
namespace {

namespace fs = std::filesystem;
using test::DamagedStore;
using ::testing::HasSubstr;

class LogDamageTest : public ::testing::Test {
 protected:
  void SetUp() override { log::set_level(log::Level::kOff); }
  void TearDown() override { log::set_level(log::Level::kInfo); }

  DamagedStore::Outcome check(const std::string& log, DamagedStore::Boot boot) {
    auto outcome = store_.open_with(log, boot);
    EXPECT_EQ(outcome.wrong, "");
    return outcome;
  }

  static constexpr auto kSame = DamagedStore::Boot::kSame;
  static constexpr auto kNew = DamagedStore::Boot::kNew;
  test::TempDir dir_;
  DamagedStore store_{dir_.path()};
};

TEST_F(LogDamageTest, AFlippedByteRefusesOrLosesNothing) {
  int refused = 0;
  int tried = 0;
  for (std::size_t at = 0; at < store_.log().size(); at += 211) {
    SCOPED_TRACE("byte " + std::to_string(at));
    std::string log = store_.log();
    log[at] = static_cast<char>(log[at] ^ (1 << at % 8));
    refused += check(log, ++tried % 2 == 0 ? kSame : kNew).refused;
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, tried / 2);  // all of the same boot, half of the new one
  std::cout << tried << " flips, " << refused << " refusals\n";
}

TEST_F(LogDamageTest, ACutRefusesOrLosesNothing) {
  int refused = 0;
  int tried = 0;
  for (std::size_t length = 0; length < store_.log().size(); length += 211) {
    SCOPED_TRACE("length " + std::to_string(length));
    refused += check(store_.log().substr(0, length), ++tried % 2 == 0 ? kSame : kNew).refused;
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, tried / 2);
  std::cout << tried << " cuts, " << refused << " refusals\n";
}

TEST_F(LogDamageTest, HolesOfZerosRefuseOrLoseNothing) {
  for (const std::size_t length : {1, 7, 512, 4096, 32 * 1024}) {
    for (std::size_t at = 0; at < store_.log().size(); at += 4096) {
      SCOPED_TRACE(std::to_string(length) + " zeros at " + std::to_string(at));
      std::string log = store_.log();
      std::fill_n(log.begin() + at, std::min(length, log.size() - at), '\0');
      const bool same = check(log, kSame).refused;
      EXPECT_TRUE(same || log == store_.log());
      check(log, kNew);
      if (HasFailure()) return;
    }
  }
}

TEST_F(LogDamageTest, WhatFollowsTheLastBatchIsNotMissed) {
  for (const char fill : {'\0', '\x5a', '\xff', '\1'}) {
    for (const std::size_t length : {1, 6, 7, 64, 4096, 100'000}) {
      SCOPED_TRACE(std::to_string(length) + " bytes of " + std::to_string(fill));
      for (const auto boot : {kSame, kNew}) {
        const auto outcome = check(store_.log() + std::string(length, fill), boot);
        EXPECT_EQ(outcome.present, DamagedStore::kEntries) << outcome.message;
      }
    }
  }
}

TEST_F(LogDamageTest, TheRefusalSaysWhereAndWhatLiesBehind) {
  std::string log = store_.log();
  log[20'000] = static_cast<char>(log[20'000] ^ 1);
  const auto outcome = check(log, kSame);
  EXPECT_THAT(outcome.message,
              ::testing::ContainsRegex(
                  "is damaged at byte [0-9]+ \\(a record does not match its checksum\\), whole up "
                  "to sequence [0-9]+, with [0-9]+ whole batches behind it \\(sequences [0-9]+ to "
                  "[0-9]+\\); acknowledged up to [0-9]+, on disk at least [0-9]+. Restore the "
                  "file, or start with --recovery=cache to accept the loss. Nothing was changed"));
}

// Several logs that are all needed: their memtables were full, and not flushed yet.
class SeveralLogsTest : public StoreFixture {
 protected:
  static constexpr int kEntries = 25;  // ten fill a memtable; two may wait to be flushed

  void SetUp() override {
    StoreFixture::SetUp();
    log::set_level(log::Level::kOff);
    options_.memory_budget_bytes = 8 * 1024 * 1024;
    // Stops like a killed process: whatever was written is in the files, nothing follows.
    auto files = std::make_shared<test::FaultFileSystem>(options_.data_dir, dir_.path() + "/trash");
    options_.file_system = files;
    std::promise<void> release;
    files->set_create_hook([released = release.get_future().share()](const std::string& path) {
      if (path.ends_with(".sst")) released.wait();
    });
    open();
    for (int i = 0; i < kEntries; ++i) {
      ASSERT_EQ(put("key" + std::to_string(i), std::string(100'000, 'v')).code, Code::kOk);
    }
    files->cut_power();
    release.set_value();
    close();
    options_.file_system.reset();
    for (const auto& file : fs::directory_iterator(options_.data_dir + "/db")) {
      if (file.path().extension() == ".log" && file.file_size() > 0) logs_.push_back(file.path());
    }
    std::sort(logs_.begin(), logs_.end());
    ASSERT_GE(logs_.size(), 3U);
    fs::copy(options_.data_dir, dir_.path() + "/saved", fs::copy_options::recursive);
  }
  void TearDown() override { log::set_level(log::Level::kInfo); }

  void restore() {
    close();
    fs::remove_all(options_.data_dir);
    fs::copy(dir_.path() + "/saved", options_.data_dir, fs::copy_options::recursive);
  }

  void expect_refusal(const std::string& saying) {
    options_.recovery = Recovery::kStrict;
    const auto opened = open_rocks_store(options_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.code(), Code::kCorruption);
    EXPECT_THAT(opened.error().message(), HasSubstr(saying));
  }

  // As a cache: opens, keeps the logs aside, counts, and is an ordinary store afterwards.
  void expect_cache_to_open(bool kept_aside) {
    options_.recovery = Recovery::kCache;
    open();
    ASSERT_TRUE(store_);
    EXPECT_GT(store_->stats().recovered_lost_writes, 0U);
    EXPECT_EQ(fs::exists(options_.data_dir + "/damaged"), kept_aside);
    EXPECT_EQ(put("after", "v").code, Code::kOk);
    close();
    options_.recovery = Recovery::kStrict;
    open();
    ASSERT_TRUE(store_);
    EXPECT_EQ(value_of("after"), "v");
    EXPECT_EQ(store_->stats().recovered_lost_writes, 0U);
    restore();
  }

  std::vector<fs::path> logs_;
};

TEST_F(SeveralLogsTest, AreAllRead) {
  open();
  for (int i = 0; i < kEntries; ++i) {
    EXPECT_TRUE(value_of("key" + std::to_string(i)) == std::string(100'000, 'v')) << i;
  }
}

TEST_F(SeveralLogsTest, AMissingOneRefuses) {
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    SCOPED_TRACE(i);
    fs::remove(logs_[i]);
    expect_refusal(i + 1 < logs_.size() ? "the sequence jumps" : "acknowledged up to");
    expect_cache_to_open(i + 1 < logs_.size());
  }
  for (const auto& log : logs_) fs::remove(log);
  expect_refusal("acknowledged up to");
  expect_cache_to_open(false);
}

TEST_F(SeveralLogsTest, SwappedOnesRefuse) {
  const auto& last = logs_.back();
  const auto& before = logs_[logs_.size() - 2];
  fs::rename(last, dir_.path() + "/other");
  fs::rename(before, last);
  fs::rename(dir_.path() + "/other", before);
  expect_refusal("the sequence jumps");
  expect_cache_to_open(true);
}

TEST_F(SeveralLogsTest, DamageInAnyOfThemRefuses) {
  for (const auto& log : logs_) {
    SCOPED_TRACE(log.string());
    fs::resize_file(log, fs::file_size(log) - 1000);
    expect_refusal(log.string());
    expect_cache_to_open(true);
  }
}

TEST_F(SeveralLogsTest, AMissingMarkRefusesUnlessItIsACache) {
  fs::remove(options_.data_dir + "/store.mark");
  expect_refusal("no \"" + options_.data_dir + "/store.mark\"");
  options_.recovery = Recovery::kCache;
  open();
  EXPECT_TRUE(value_of("key0") == std::string(100'000, 'v'));
  EXPECT_EQ(store_->stats().recovered_lost_writes, 0U);
}

TEST_F(SeveralLogsTest, DamageBesideTheLogsRefusesAlsoAsACache) {
  for (const auto& file : fs::directory_iterator(options_.data_dir + "/db")) {
    const std::string name = file.path().filename();
    if (!name.starts_with("MANIFEST") && !name.ends_with(".sst") && name != "CURRENT") continue;
    SCOPED_TRACE(name);
    const auto path = file.path();
    const auto set_aside = fs::path(dir_.path()) / name;
    fs::rename(path, set_aside);
    for (const auto recovery : {Recovery::kStrict, Recovery::kCache}) {
      options_.recovery = recovery;
      const auto opened = open_rocks_store(options_);
      EXPECT_EQ(opened.code(), Code::kCorruption);
      EXPECT_THAT(opened.error().message(), HasSubstr(name == "CURRENT" ? "CURRENT" : name));
    }
    fs::rename(set_aside, path);
  }
  options_.recovery = Recovery::kStrict;
  open();
  EXPECT_TRUE(value_of("key24") == std::string(100'000, 'v'));
}

}  // namespace
}  // namespace edged::storage
