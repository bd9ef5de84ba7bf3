// SPDX-License-Identifier: Apache-2.0
// The power goes at a chosen moment: what was synced is there afterwards, and of what was not, the
// first so many writes. The many random moments are the soak program's (tests/soak).
#include <gmock/gmock.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/kvstore/store_fixture.h"
#include "tests/support/fault_file_system.h"

namespace edged::storage {
namespace {

class StorePowerCutTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    files_ = std::make_shared<test::FaultFileSystem>(dir_.path() + "/data", dir_.path() + "/trash");
    options_.file_system = files_;
    const char* given = std::getenv("EDGED_TEST_SEED");
    seed_ = given != nullptr ? static_cast<unsigned>(std::atoll(given)) : std::random_device{}();
    std::cout << "seed " << seed_ << "\n";
    random_.seed(seed_);
  }

  void cut() {
    files_->cut_power();
    close();
    files_->restore_power(random_);
    options_.boot_id = "boot " + std::to_string(1'000'000'000 + ++boots_) + " ";
  }

  std::shared_ptr<test::FaultFileSystem> files_;
  unsigned seed_ = 0;
  std::mt19937_64 random_;
  int boots_ = 0;
};

TEST_F(StorePowerCutTest, KeepsWhatWasSyncedAndAPrefixOfTheRest) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (int round = 0; round < 40; ++round) {
    open();
    if (HasFatalFailure()) FAIL() << "round " << round;
    const std::string name = std::to_string(round) + ".";
    for (int i = 0; i < 20; ++i) {
      const auto durability = i == 9 ? Durability::kSync : Durability::kWal;
      ASSERT_EQ(write(put_of(name + std::to_string(i), "v"), durability).code, Code::kOk);
    }
    cut();
    open();
    if (HasFatalFailure()) FAIL() << "round " << round;
    bool gone = false;
    for (int i = 0; i < 20; ++i) {
      const bool here = value_of(name + std::to_string(i)) == "v";
      ASSERT_TRUE(here || i >= 10) << "synced write " << i << " of round " << round;
      ASSERT_FALSE(here && gone) << "write " << i << " outlived an earlier one";
      gone = gone || !here;
    }
    cut();
  }
}

TEST_F(StorePowerCutTest, ALyingDiskIsFoundOut) {
  open();
  put("before", "v");
  files_->lie_about_syncs(true);
  int refused_or_lost = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(write(put_of("k" + std::to_string(round), "v"), Durability::kSync).code, Code::kOk);
    files_->cut_power();
    close();
    files_->restore_power(random_);
    options_.boot_id = "boot " + std::to_string(2'000'000'000 + round) + " ";
    auto opened = open_rocks_store(options_);
    if (!opened) {
      ++refused_or_lost;
      break;
    }
    store_ = std::move(*opened);
    if (store_->list_namespaces().empty() || value_of("k" + std::to_string(round)) != "v") {
      ++refused_or_lost;
      break;
    }
  }
  EXPECT_GT(refused_or_lost, 0) << "the model of the disk loses nothing: the tests prove nothing";
}

}  // namespace
}  // namespace edged::storage
