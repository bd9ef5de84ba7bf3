// SPDX-License-Identifier: Apache-2.0
// edged-bench-storage: what one operation of the storage library costs, in CPU of the whole process
// (writer and compaction threads included) and in time. docs/performance.md has the figures;
// tools/bench/storage runs this program for both engines and makes the table.
//   edged-bench-storage --data-dir DIR [--keys N] [--value-bytes N] [--benchmark_...]
// The directory is filled on first use and may be used again, by either engine.
#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/log.h"
#include "tools/bench/bench_store.h"

namespace edged::bench {
namespace {

using storage::Durability;
using storage::ReadTier;

constexpr std::int64_t kBatch = 32;

// `ops` per iteration: the script divides by it.
void report(benchmark::State& state, std::int64_t ops) {
  state.counters["ops"] = static_cast<double>(ops);
  state.SetItemsProcessed(state.iterations() * ops);
}

void get(benchmark::State& state, BenchStore& bench, bool present) {
  const Code expected = present ? Code::kOk : Code::kNotFound;
  if (!bench.warm().ok()) return state.SkipWithError("get: could not read every key");
  for (auto _ : state) {
    const std::string key = present ? bench.present_key() : bench.missing_key();
    const auto entry = bench.store().get(bench.read_namespace(), key, ReadTier::kDisk);
    if (entry.code() != expected) return state.SkipWithError("get: not what was expected");
    benchmark::DoNotOptimize(entry);
  }
  report(state, 1);
}

void get_many(benchmark::State& state, BenchStore& bench) {
  if (!bench.warm().ok()) return state.SkipWithError("get: could not read every key");
  for (auto _ : state) {
    std::vector<std::string> keys;
    while (keys.size() < kBatch) keys.push_back(bench.present_key());
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const auto entries = bench.store().get_many(bench.read_namespace(), views, ReadTier::kDisk);
    for (const auto& entry : entries) {
      if (!entry) return state.SkipWithError("get: not what was expected");
    }
  }
  report(state, kBatch);
}

struct Puts {
  std::int64_t operations = 1;   // of one Write
  std::ptrdiff_t in_flight = 1;  // Writes
  std::uint64_t value_bytes = 100;
  Durability durability = Durability::kWal;
  bool atomic = false;
};

void put(benchmark::State& state, BenchStore& bench, Puts puts) {
  WritesInFlight writes(bench.store(), puts.in_flight);
  for (auto _ : state) {
    storage::Write write;
    write.durability = puts.durability;
    write.atomic = puts.atomic;
    for (std::int64_t i = 0; i < puts.operations; ++i) {
      write.operations.emplace_back(bench.random_put(puts.value_bytes));
    }
    writes.submit(std::move(write));
  }
  if (writes.drain() != 0) return state.SkipWithError("put: a write failed");
  report(state, puts.operations);
}

// Each put names the version that its key has: a read, a comparison, a write.
void put_if_version(benchmark::State& state, BenchStore& bench) {
  constexpr std::size_t kKeys = 1000;
  std::vector<storage::Version> versions(kKeys, 0);
  std::size_t next = 0;
  for (auto _ : state) {
    storage::Put put = bench.random_put(100);
    put.key = "versioned:" + std::to_string(next);
    put.version = versions[next];
    if (put.version != 0) put.condition = storage::Condition::kVersion;
    const auto outcome = write_and_wait(bench.store(), std::move(put), Durability::kWal);
    if (!outcome || outcome->code != Code::kOk) return state.SkipWithError("put: not written");
    versions[next] = outcome->version;
    next = (next + 1) % kKeys;
  }
  report(state, 1);
}

storage::Operation touch_of(storage::NamespaceNumber ns, std::string key) {
  storage::Touch touch;
  touch.ns = ns;
  touch.key = std::move(key);
  touch.ttl = std::chrono::hours(1);
  return touch;
}

storage::Operation add_of(storage::NamespaceNumber ns, std::string key) {
  storage::Add add;
  add.ns = ns;
  add.key = std::move(key);
  add.delta = 1;
  return add;
}

// Changes one of a thousand counters, made by the first round's additions.
void change(benchmark::State& state,
            BenchStore& bench,
            storage::Operation (*operation)(storage::NamespaceNumber, std::string)) {
  constexpr std::size_t kKeys = 1000;
  const auto apply = [&bench](auto make, std::size_t number) {
    const auto outcome =
        write_and_wait(bench.store(),
                       make(bench.write_namespace(), "counter:" + std::to_string(number)),
                       Durability::kWal);
    return outcome && outcome->code == Code::kOk;
  };
  for (std::size_t number = 0; number < kKeys; ++number) {
    if (!apply(add_of, number)) return state.SkipWithError("change: not prepared");
  }
  std::size_t next = 0;
  for (auto _ : state) {
    if (!apply(operation, next++ % kKeys)) return state.SkipWithError("change: not written");
  }
  report(state, 1);
}

// Refused: the key is there. What a lock that somebody holds costs.
void put_if_absent(benchmark::State& state, BenchStore& bench) {
  if (!bench.warm().ok()) return state.SkipWithError("put: could not read every key");
  for (auto _ : state) {
    storage::Put put = bench.random_put(100);
    put.ns = bench.read_namespace();
    put.key = bench.present_key();
    put.condition = storage::Condition::kAbsent;
    const auto outcome = write_and_wait(bench.store(), std::move(put), Durability::kWal);
    if (!outcome || outcome->code != Code::kExists) return state.SkipWithError("put: not refused");
  }
  report(state, 1);
}

void list(benchmark::State& state, BenchStore& bench, bool with_values) {
  storage::ListRequest request;
  request.ns = bench.read_namespace();
  request.with_values = with_values;
  for (auto _ : state) {
    request.start_after = bench.present_key();
    const auto page = bench.store().list(request);
    if (!page) return state.SkipWithError("list: failed");
    benchmark::DoNotOptimize(page);
  }
  report(state, 1);
}

template <typename Function, typename... Arguments>
void add(const std::string& name, BenchStore& bench, Function function, Arguments... arguments) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [&bench, function, arguments...](benchmark::State& state) {
                                 bench.settle();
                                 function(state, bench, arguments...);
                               })
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

void add_all(BenchStore& bench) {
  add("get cached", bench, get, true);
  add("get missing", bench, get, false);
  add("get 32 at once", bench, get_many);
  add("list 1000 keys", bench, list, false);
  add("list 1000 entries", bench, list, true);
  add("put wal, one waits", bench, put, Puts{});
  add("put wal, 64 wait", bench, put, Puts{.in_flight = 64});
  add("put wal, 32 a write", bench, put, Puts{.operations = kBatch, .in_flight = 4});
  add("put wal, 32 atomic", bench, put, Puts{.operations = kBatch, .in_flight = 4, .atomic = true});
  add("put sync, one waits", bench, put, Puts{.durability = Durability::kSync});
  add("put sync, 64 wait", bench, put, Puts{.in_flight = 64, .durability = Durability::kSync});
  add("put if version", bench, put_if_version);
  add("put if absent, refused", bench, put_if_absent);
  add("touch", bench, change, touch_of);
  add("add", bench, change, add_of);
  add("put wal, 64 KiB", bench, put, Puts{.in_flight = 4, .value_bytes = 64 << 10});
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);  // takes its own flags out of argv
  log::init("bench", log::Level::kError);
  BenchStoreOptions options;
  CLI::App app("Benchmarks of edged's storage library");
  app.add_option("--data-dir", options.data_dir, "Store to work on; filled if need be")->required();
  app.add_option("--keys", options.keys, "Keys to read from")->check(CLI::PositiveNumber);
  app.add_option("--value-bytes", options.value_bytes, "Bytes of each value that is read")
      ->check(CLI::Range(1, 65536));
  CLI11_PARSE(app, argc, argv);
  auto bench = BenchStore::open(options);
  if (!bench) {
    std::fprintf(stderr, "error: %s\n", bench.error().to_string().c_str());
    return 1;
  }
  benchmark::AddCustomContext("engine", (*bench)->store().stats().engine);
  add_all(**bench);
  const std::size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ran == 0 ? 1 : 0;
}

}  // namespace
}  // namespace edged::bench

int main(int argc, char** argv) {
  return edged::bench::run(argc, argv);
}
