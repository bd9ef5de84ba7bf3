// SPDX-License-Identifier: Apache-2.0
// A child opens the store, audits it, and writes until it is killed. The parent holds the oracle in
// shared memory and never opens the store, since RocksDB's threads would not exist in a fork.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <random>

#include "kvstore/storage/rocks_store.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "tests/soak/soak.h"
#include "tests/soak/workload.h"

namespace edged::soak {
namespace {

constexpr unsigned kSyncOneIn = 20;

// Lives in a mapping shared with the children.
struct Shared {
  SharedClock clock;
  std::atomic<std::uint64_t> last_value{0};
  std::atomic<std::uint32_t> active{0};  // which journal counts
  Journal journals[2];
  std::atomic<std::uint64_t> audits{0}, operations{0}, opens{0};
  char failure[1024] = {};
};

Shared* map_shared() {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  KV_CHECK(memory != MAP_FAILED);
  return new (memory) Shared;
}

class Child {
 public:
  Child(Shared& shared, const SoakOptions& options, std::uint64_t seed)
      : shared_(shared),
        options_(options),
        random_(seed),
        workload_(shared.clock, random_, shared.last_value, kSyncOneIn) {}

  // Until it is killed.
  [[noreturn]] void run() {
    for (;;) {
      open();
      audit();
      const std::uint64_t bursts = 1 + workload_.pick(400);
      for (std::uint64_t i = 0; i < bursts && journal().submitted.load() + 16 < kOperationsMax;
           ++i) {
        const auto before = journal().submitted.load();
        const auto ended = workload_.burst(*store_, ns_, journal(), options_.canary);
        shared_.operations.fetch_add(journal().submitted.load() - before);
        if (ended == Workload::Ended::kFailed) fail("a write failed");
        if (ended == Workload::Ended::kWrong) fail(workload_.wrong());
      }
      store_.reset();
    }
  }

 private:
  Journal& journal() { return shared_.journals[shared_.active.load()]; }

  [[noreturn]] void fail(const std::string& why) {
    std::strncpy(shared_.failure, why.c_str(), sizeof(shared_.failure) - 1);
    ::_exit(1);
  }

  void open() {
    storage::RocksStoreOptions options;
    options.data_dir = options_.directory + "/data";
    options.memory_budget_bytes = 8 * 1024 * 1024;
    options.clock = &shared_.clock;
    options.synchronised = [](WallTime) { return false; };
    options.boot_id = "the only boot, 1";
    options.expiry_grace = std::chrono::milliseconds(0);
    options.reclaim_interval = std::chrono::milliseconds(5);
    auto opened = storage::open_rocks_store(options);
    if (!opened) fail(opened.error().to_string());
    store_ = std::move(*opened);
    shared_.opens.fetch_add(1);
    auto ns = store_->find_namespace("default");
    if (!ns) ns = store_->create_namespace("default", "");
    if (!ns) fail(ns.error().to_string());
    ns_ = ns->number;
  }

  void audit() {
    const std::uint32_t spare = 1 - shared_.active.load();
    const std::string wrong = soak::audit(*store_,
                                          ns_,
                                          journal(),
                                          promised(journal(), false),
                                          shared_.clock.now_ms(),
                                          shared_.journals[spare]);
    if (!wrong.empty()) fail(wrong);
    shared_.active.store(spare);  // a kill before this finds the old journal, still true
    workload_.begin(journal());
    shared_.audits.fetch_add(1);
  }

  Shared& shared_;
  const SoakOptions& options_;
  std::mt19937_64 random_;
  Workload workload_;
  std::unique_ptr<storage::Store> store_;
  storage::NamespaceNumber ns_ = 0;
};

void sleep_up_to(std::mt19937_64& random, std::uint64_t microseconds) {
  ::usleep(static_cast<useconds_t>(random() % microseconds));
}

// One child, killed while it writes, or one time in five while it opens. What went wrong.
std::string kill_one(Shared& shared, const SoakOptions& options, std::mt19937_64& random) {
  const std::uint64_t audits = shared.audits.load();
  const std::uint64_t seed = random();
  const pid_t child = ::fork();
  KV_CHECK(child >= 0);
  if (child == 0) Child(shared, options, seed).run();
  int status = 0;
  bool ended = false;
  if (random() % 5 != 0) {
    while (!ended && shared.audits.load() == audits) {
      ::usleep(200);
      ended = ::waitpid(child, &status, WNOHANG) == child;
    }
  }
  if (!ended) {
    sleep_up_to(random, 40'000);
    ::kill(child, SIGKILL);
    KV_CHECK(::waitpid(child, &status, 0) == child);
  }
  if (shared.failure[0] != '\0') return shared.failure;
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    return "the writer ended by itself, status " + std::to_string(status);
  }
  return "";
}

}  // namespace

SoakResult run_kill(const SoakOptions& options) {
  log::set_level(log::Level::kOff);
  Shared* shared = map_shared();
  std::mt19937_64 random(options.seed);
  Progress progress(options);
  SoakResult result;
  std::uint64_t cycle = 0;
  for (; cycle < options.cycles; ++cycle) {
    result.failure = kill_one(*shared, options, random);
    if (!result.failure.empty()) {
      result.failure = "cycle " + std::to_string(cycle) + ": " + result.failure;
      break;
    }
    if (!progress.next(cycle, figure(shared->operations.load(), "operations"))) break;
  }
  result.summary = figure(cycle, "kills, ") + figure(shared->opens.load(), "openings, ") +
                   figure(shared->audits.load(), "audits, ") +
                   figure(shared->operations.load(), "operations, ") +
                   figure(progress.seconds(), "s, ") +
                   figure(progress.seconds() * 1000 / static_cast<double>(cycle + 1), "ms a cycle");
  ::munmap(shared, sizeof(Shared));
  return result;
}

}  // namespace edged::soak
