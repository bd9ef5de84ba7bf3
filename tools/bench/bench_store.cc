// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/bench_store.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace edged::bench {
namespace {

constexpr std::size_t kFillBatch = 1000;
constexpr std::size_t kNoiseBytes = 1 << 20;
constexpr std::string_view kReadTitle = "bench-read";
constexpr std::string_view kWriteTitle = "bench-write";

// Of one length, in the order of their numbers.
std::string key_of(std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof(text), "section:%012llu", static_cast<unsigned long long>(number));
  return text;
}

Result<storage::NamespaceNumber> namespace_of(storage::Store& store, std::string_view title) {
  auto found = store.find_namespace(title);
  if (!found && found.code() == Code::kNamespaceNotFound) {
    found = store.create_namespace(std::string(title), "");
  }
  if (!found) return found.error();
  return found->number;
}

}  // namespace

Result<std::unique_ptr<BenchStore>> BenchStore::open(const BenchStoreOptions& options) {
  storage::RocksStoreOptions opening;
  opening.data_dir = options.data_dir;
  opening.memory_budget_bytes = options.memory_budget_bytes;
  auto store = storage::open_rocks_store(opening);
  if (!store) return store.error();
  std::unique_ptr<BenchStore> bench(new BenchStore(options, std::move(*store)));
  const Status status = bench->prepare();
  if (!status.ok()) return status;
  return bench;
}

BenchStore::BenchStore(const BenchStoreOptions& options, std::unique_ptr<storage::Store> store)
    : options_(options), store_(std::move(store)), noise_(kNoiseBytes, ' ') {
  std::uniform_int_distribution<int> digit(0, 15);
  for (char& byte : noise_) byte = "0123456789abcdef"[digit(random_)];
}

Status BenchStore::prepare() {
  const auto reads = namespace_of(*store_, kReadTitle);
  if (!reads) return reads.error();
  read_namespace_ = *reads;
  const auto writes = namespace_of(*store_, kWriteTitle);
  if (!writes) return writes.error();
  write_namespace_ = *writes;
  const auto last =
      store_->get(read_namespace_, key_of(options_.keys - 1), storage::ReadTier::kDisk);
  return last ? Status() : fill();
}

Status BenchStore::fill() {
  WritesInFlight writes(*store_, 16);
  std::uniform_int_distribution<std::size_t> at(0, noise_.size() - options_.value_bytes);
  for (std::uint64_t number = 0; number < options_.keys;) {
    storage::Write write;
    for (; number < options_.keys && write.operations.size() < kFillBatch; ++number) {
      storage::Put put;
      put.ns = read_namespace_;
      put.key = key_of(number);
      put.value = noise_.substr(at(random_), options_.value_bytes);
      write.operations.emplace_back(std::move(put));
    }
    writes.submit(std::move(write));
  }
  if (writes.drain() != 0) return Status(Code::kInternal, "could not fill the store");
  return Status();
}

void BenchStore::settle() {
  constexpr auto kWindow = std::chrono::milliseconds(100);
  const auto cpu = [] {
    return std::chrono::nanoseconds(std::clock() * (1'000'000'000 / CLOCKS_PER_SEC));
  };
  for (int window = 0; window < 300; ++window) {
    const auto before = cpu();
    std::this_thread::sleep_for(kWindow);
    if (cpu() - before < kWindow / 50) return;
  }
}

Status BenchStore::warm() {
  // Reads at least two entries of each block of 8 KiB.
  const std::uint64_t step = std::max<std::uint64_t>(1, 4096 / (options_.value_bytes + 50));
  for (std::uint64_t number = 0; number < options_.keys; number += step) {
    const auto entry = store_->get(read_namespace_, key_of(number), storage::ReadTier::kDisk);
    if (!entry) return entry.error();
  }
  return Status();
}

std::string BenchStore::present_key() {
  return key_of(std::uniform_int_distribution<std::uint64_t>(0, options_.keys - 1)(random_));
}

std::string BenchStore::missing_key() {
  return present_key() + "?";
}

storage::Put BenchStore::random_put(std::uint64_t value_bytes) {
  std::uniform_int_distribution<std::size_t> at(0, noise_.size() - value_bytes);
  storage::Put put;
  put.ns = write_namespace_;
  // Larger values share fewer keys.
  const std::uint64_t keys =
      std::max<std::uint64_t>(1000, options_.keys * 100 / (100 + value_bytes));
  put.key = std::to_string(value_bytes) + ":" +
            key_of(std::uniform_int_distribution<std::uint64_t>(0, keys - 1)(random_));
  put.value = noise_.substr(at(random_), value_bytes);
  return put;
}

WritesInFlight::WritesInFlight(storage::Store& store, std::ptrdiff_t limit)
    : store_(store), limit_(limit), free_(limit) {}

void WritesInFlight::submit(storage::Write write) {
  free_.acquire();
  store_.submit(std::move(write), [this](Result<std::vector<storage::WriteOutcome>> outcomes) {
    const bool ok = outcomes && std::all_of(outcomes->begin(),
                                            outcomes->end(),
                                            [](const auto& one) { return one.code == Code::kOk; });
    if (!ok) failed_.fetch_add(1);
    free_.release();
  });
}

std::uint64_t WritesInFlight::drain() {
  for (std::ptrdiff_t i = 0; i < limit_; ++i) free_.acquire();
  free_.release(limit_);
  return failed_.exchange(0);
}

}  // namespace edged::bench
