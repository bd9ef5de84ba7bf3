// SPDX-License-Identifier: Apache-2.0
#include "tests/kvstore/damaged_store.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "proto/base/check.h"

namespace edged::test {
namespace {

namespace fs = std::filesystem;
using storage::RocksStoreOptions;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string key_of(int i) {
  return "key" + std::to_string(i);
}

std::string value_of(int i) {
  return std::to_string(i) + std::string(200, 'v');
}

RocksStoreOptions options_of(const std::string& directory, const ManualClock& clock) {
  RocksStoreOptions options;
  options.data_dir = directory;
  options.clock = &clock;
  options.synchronised = [](WallTime) { return false; };
  options.memory_budget_bytes = 8 * 1024 * 1024;
  options.boot_id = "the boot it died";
  return options;
}

}  // namespace

DamagedStore::DamagedStore(std::string directory)
    : original_(directory + "/original"), copy_(directory + "/copy") {
  write_and_die();
  for (const auto& file : fs::directory_iterator(original_ + "/db")) {
    if (file.path().extension() == ".log" && file.file_size() != 0) {
      log_name_ = "/db/" + file.path().filename().string();
    }
  }
  log_ = read_file(original_ + log_name_);
  mark_ = read_file(original_ + "/store.mark");
  KV_CHECK(log_.size() > 50'000 && mark_.size() > 500);
}

void DamagedStore::write_and_die() {
  const pid_t child = ::fork();
  KV_CHECK(child >= 0);
  if (child == 0) {
    auto store = storage::open_rocks_store(options_of(original_, clock_));
    if (!store) ::_exit(1);
    const auto ns = (*store)->create_namespace("default", "");
    if (!ns) ::_exit(2);
    for (int i = 0; i < kEntries; ++i) {
      storage::Put put;
      put.ns = ns->number;
      put.key = key_of(i);
      put.value = value_of(i);
      const auto class_ = i < kSynced ? storage::Durability::kSync : storage::Durability::kWal;
      if (!storage::write_and_wait(**store, put, class_)) ::_exit(3);
    }
    ::raise(SIGKILL);
  }
  int status = 0;
  KV_CHECK(::waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

// Everything RocksDB only reads or replaces is a hard link.
void DamagedStore::restore() {
  if (std::exchange(clean_, true)) return;
  fs::remove_all(copy_);
  fs::create_directories(copy_ + "/db");
  for (const auto& file : fs::directory_iterator(original_ + "/db")) {
    const std::string name = "/db/" + file.path().filename().string();
    if (name != log_name_) fs::create_hard_link(original_ + name, copy_ + name);
  }
  write_file(copy_ + "/store.mark", mark_);
}

DamagedStore::Outcome DamagedStore::open_with(const std::string& log, Boot boot) {
  restore();
  write_file(copy_ + log_name_, log);
  auto options = options_of(copy_, clock_);
  if (boot == Boot::kNew) options.boot_id = "another boot, 16";
  auto opened = storage::open_rocks_store(options);
  if (opened) {
    clean_ = false;
    return judge(**opened, boot);
  }
  Outcome outcome;
  outcome.refused = true;
  outcome.message = opened.error().message();
  if (opened.code() != Code::kCorruption) {
    outcome.wrong = opened.error().to_string();
  } else if (outcome.message.find(log_name_) == std::string::npos) {
    outcome.wrong = "does not name the log: " + outcome.message;
  } else if (read_file(copy_ + log_name_) != log || read_file(copy_ + "/store.mark") != mark_) {
    outcome.wrong = "the refusal changed a file";
  }
  return outcome;
}

DamagedStore::Outcome DamagedStore::judge(storage::Store& store, Boot boot) const {
  Outcome outcome;
  const auto ns = store.find_namespace("default");
  if (!ns) {
    outcome.wrong = "the namespace is gone";
    return outcome;
  }
  int first_gone = kEntries;
  for (int i = 0; i < kEntries; ++i) {
    const auto entry = store.get(ns->number, key_of(i), storage::ReadTier::kDisk);
    if (!entry && entry.code() != Code::kNotFound) outcome.wrong = entry.error().to_string();
    if (entry && entry->value != value_of(i)) outcome.wrong = key_of(i) + " has another value";
    if (!entry) {
      first_gone = std::min(first_gone, i);
      continue;
    }
    ++outcome.present;
    if (i > first_gone) outcome.wrong = key_of(i) + " is there, an earlier one is not";
  }
  const int needed = boot == Boot::kSame ? kEntries : kSynced;
  if (outcome.present < needed) {
    outcome.wrong = "opened with " + std::to_string(outcome.present) + " entries";
  }
  return outcome;
}

}  // namespace edged::test
