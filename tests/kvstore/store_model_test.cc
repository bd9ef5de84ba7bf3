// SPDX-License-Identifier: Apache-2.0
// Random operations against a std::map that says what the store must hold, with restarts and a
// clock that moves. To rerun a failure: EDGED_TEST_SEED=<seed printed> storage_store_test
// --gtest_filter='StoreModelTest.*'
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

struct ModelEntry {
  std::string value;
  std::optional<WallTime> expires_at;
  Version version = 0;
};

class StoreModelTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    const char* given = std::getenv("EDGED_TEST_SEED");
    seed_ = given != nullptr ? static_cast<unsigned>(std::atoll(given)) : std::random_device{}();
    std::cout << "seed " << seed_ << "\n";
    random_.seed(seed_);
    open();
  }

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  void expire() {
    std::erase_if(model_, [this](const auto& entry) {
      return entry.second.expires_at && *entry.second.expires_at <= clock_.wall_now();
    });
  }

  // A write whose outcome the model foretells.
  void random_write() {
    const std::string key = "key" + std::to_string(pick(40));
    const auto found = model_.find(key);
    const bool present = found != model_.end();
    const auto condition = static_cast<Condition>(pick(4));
    const Version version = present && pick(2) == 0 ? found->second.version : 1;
    if (pick(4) == 0) {
      if (condition == Condition::kAbsent) return;
      const auto outcome = write(Delete{ns_, key, condition, version});
      ASSERT_EQ(outcome.code, expected(condition, present, found, version, true));
      if (outcome.code == Code::kOk) model_.erase(key);
      return;
    }
    Put put = put_of(key, std::string(pick(300), static_cast<char>('a' + pick(26))));
    put.condition = condition;
    put.version = version;
    if (pick(2) == 0) put.ttl = std::chrono::milliseconds(1 + pick(20'000));
    const auto outcome = write(put, pick(20) == 0 ? Durability::kSync : Durability::kWal);
    ASSERT_EQ(outcome.code, expected(condition, present, found, version, false));
    if (outcome.code != Code::kOk) return;
    ASSERT_GT(outcome.version, last_version_);
    last_version_ = outcome.version;
    model_[key] = {put.value,
                   put.ttl ? std::optional(clock_.wall_now() + *put.ttl) : std::nullopt,
                   outcome.version};
  }

  Code expected(Condition condition,
                bool present,
                std::map<std::string, ModelEntry>::iterator found,
                Version version,
                bool is_delete) const {
    switch (condition) {
      case Condition::kNone:
        return Code::kOk;
      case Condition::kAbsent:
        return present ? Code::kExists : Code::kOk;
      case Condition::kPresent:
        return present ? Code::kOk : Code::kNotFound;
      case Condition::kVersion:
        if (!present) return is_delete ? Code::kNotFound : Code::kVersionMismatch;
        return found->second.version == version ? Code::kOk : Code::kVersionMismatch;
    }
    return Code::kInternal;
  }

  void compare() {
    std::map<std::string, ModelEntry> stored;
    ListRequest request{ns_, "", "", 1 + pick(30), true};
    for (bool complete = false; !complete;) {
      const auto page = store_->list(request);
      ASSERT_TRUE(page) << page.error().to_string();
      for (const auto& item : page->items) {
        stored[item.key] = {item.entry.value, item.entry.expires_at, item.entry.version};
      }
      complete = page->complete;
      request.start_after = page->next_after;
    }
    ASSERT_EQ(stored.size(), model_.size());
    for (const auto& [key, entry] : model_) {
      ASSERT_EQ(stored[key].value, entry.value) << key;
      ASSERT_EQ(stored[key].expires_at, entry.expires_at) << key;
      ASSERT_EQ(stored[key].version, entry.version) << key;
      ASSERT_EQ(value_of(key), entry.value) << key;
    }
  }

  unsigned seed_ = 0;
  std::mt19937 random_;
  std::map<std::string, ModelEntry> model_;
  Version last_version_ = 0;
};

TEST_F(StoreModelTest, AgreesWithAMapOverRestartsAndTime) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  options_.expiry_grace = std::chrono::milliseconds(0);
  options_.reclaim_interval = std::chrono::milliseconds(5);
  reopen();
  for (int step = 0; step < 4000; ++step) {
    const unsigned kind = pick(100);
    if (kind == 0) {
      reopen();
    } else if (kind < 10) {
      clock_.advance(std::chrono::milliseconds(pick(4000)));
    } else if (kind < 14) {
      expire();
      compare();
    } else {
      expire();
      random_write();
    }
    if (HasFatalFailure()) FAIL() << "at step " << step;
  }
}

}  // namespace
}  // namespace edged::storage
