// SPDX-License-Identifier: Apache-2.0
// A store in its own directory with a clock that the test moves, and short ways to call it. One
// thread, except where a test says otherwise.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvstore/storage/rocks_store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace edged::storage {

class StoreFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.data_dir = dir_.path() + "/data";
    options_.clock = &clock_;
    options_.synchronised = [](WallTime) { return false; };
  }

  void open() {
    auto opened = open_rocks_store(options_);
    ASSERT_TRUE(opened) << opened.error().to_string();
    store_ = std::move(*opened);
    if (store_->list_namespaces().empty()) {
      auto created = store_->create_namespace("default", "");
      ASSERT_TRUE(created) << created.error().to_string();
    }
    ns_ = store_->list_namespaces().front().number;
  }
  void close() { store_.reset(); }
  void reopen() {
    close();
    open();
  }

  Put put_of(std::string key, std::string value) const {
    Put put;
    put.ns = ns_;
    put.key = std::move(key);
    put.value = std::move(value);
    return put;
  }

  WriteOutcome write(Operation operation, Durability durability = Durability::kWal) {
    auto outcome = write_and_wait(*store_, std::move(operation), durability);
    if (!outcome) return {outcome.code(), outcome.error().message(), 0};
    return *outcome;
  }

  WriteOutcome put(std::string key,
                   std::string value,
                   std::optional<std::chrono::milliseconds> ttl = std::nullopt) {
    Put operation = put_of(std::move(key), std::move(value));
    operation.ttl = ttl;
    return write(std::move(operation));
  }

  std::vector<WriteOutcome> write_all(std::vector<Operation> operations, bool atomic) {
    Write write;
    write.operations = std::move(operations);
    write.atomic = atomic;
    auto outcomes = write_and_wait(*store_, std::move(write));
    EXPECT_TRUE(outcomes) << outcomes.error().to_string();
    return outcomes ? *std::move(outcomes) : std::vector<WriteOutcome>();
  }

  Delete delete_of(std::string key) const {
    Delete remove;
    remove.ns = ns_;
    remove.key = std::move(key);
    return remove;
  }

  std::uint64_t live_keys() const {
    const auto usage = store_->usage(ns_);
    EXPECT_TRUE(usage) << usage.error().to_string();
    return usage ? usage->keys : 0;
  }

  Code get_code(std::string_view key) const {
    return store_->get(ns_, key, ReadTier::kDisk).code();
  }
  // "(none)" if there is no such key.
  std::string value_of(std::string_view key) const {
    const auto entry = store_->get(ns_, key, ReadTier::kDisk);
    if (entry) return entry->value;
    return entry.code() == Code::kNotFound ? "(none)" : entry.error().to_string();
  }

  test::TempDir dir_;
  test::ManualClock clock_;
  RocksStoreOptions options_;
  std::unique_ptr<Store> store_;
  NamespaceNumber ns_ = 0;
};

}  // namespace edged::storage
