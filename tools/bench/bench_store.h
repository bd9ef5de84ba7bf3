// SPDX-License-Identifier: Apache-2.0
// The store that the storage benchmarks work on: a namespace of keys to read, filled once per data
// directory, and one to write to. Reading is for one thread; writes are for the thread that calls.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <semaphore>
#include <string>

#include "kvstore/storage/rocks_store.h"

namespace edged::bench {

struct BenchStoreOptions {
  std::string data_dir;
  std::uint64_t keys = 1'000'000;
  std::uint64_t value_bytes = 100;
  std::uint64_t memory_budget_bytes = 1ULL << 30;
};

class BenchStore {
 public:
  static Result<std::unique_ptr<BenchStore>> open(const BenchStoreOptions& options);

  storage::Store& store() { return *store_; }
  std::uint64_t keys() const { return options_.keys; }
  storage::NamespaceNumber read_namespace() const { return read_namespace_; }
  storage::NamespaceNumber write_namespace() const { return write_namespace_; }

  // Waits until the process works no more (flushes and compactions of what was before), at most 30
  // s.
  void settle();
  // Has every block of the keys to read in the cache. A moment if they are there already.
  Status warm();

  // A key that is there, at random; and one that is not, but sorts between those that are.
  std::string present_key();
  std::string missing_key();
  // Overwrites at random what earlier runs wrote: the directory does not grow for ever.
  storage::Put random_put(std::uint64_t value_bytes);

 private:
  BenchStore(const BenchStoreOptions& options, std::unique_ptr<storage::Store> store);
  Status prepare();
  Status fill();

  BenchStoreOptions options_;
  std::unique_ptr<storage::Store> store_;
  storage::NamespaceNumber read_namespace_ = 0;
  storage::NamespaceNumber write_namespace_ = 0;
  std::mt19937_64 random_{1};
  std::string noise_;  // what values are cut from; compresses to about a half
};

// Keeps at most `limit` writes waiting for the store; counts those that failed.
class WritesInFlight {
 public:
  WritesInFlight(storage::Store& store, std::ptrdiff_t limit);
  ~WritesInFlight() { drain(); }
  WritesInFlight(const WritesInFlight&) = delete;
  WritesInFlight& operator=(const WritesInFlight&) = delete;

  // Blocks while `limit` writes wait.
  void submit(storage::Write write);
  // Blocks until every write is answered. Returns how many failed since the last call.
  std::uint64_t drain();

 private:
  storage::Store& store_;
  const std::ptrdiff_t limit_;
  std::counting_semaphore<> free_;
  std::atomic<std::uint64_t> failed_{0};
};

}  // namespace edged::bench
