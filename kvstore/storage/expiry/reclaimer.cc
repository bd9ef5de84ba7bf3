// SPDX-License-Identifier: Apache-2.0
// Which files are worth a compaction, and when.
#include "kvstore/storage/expiry/reclaimer.h"

#include <algorithm>
#include <utility>

#include "kvstore/storage/engine/rocks_status.h"
#include "kvstore/storage/expiry/expiry_properties.h"
#include "kvstore/storage/expiry/prefix_dropper.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::chrono::milliseconds kTickInterval{1000};
constexpr int kFilesPerRoundMax = 64;
constexpr std::size_t kCountsPerRoundMax = 10'000;
constexpr std::size_t kFruitlessMax = 4096;
// A busy node rewrites a file only for this much: three tenths of it.
constexpr std::uint64_t kWorthNumerator = 3;
constexpr std::uint64_t kWorthDenominator = 10;

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Reclaimer::Reclaimer(Parts parts, Options options)
    : parts_(std::move(parts)),
      options_(options),
      expired_bodies_(parts_.database, parts_.writer),
      thread_([this] { loop(); }) {}

Reclaimer::~Reclaimer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  parts_.database.db().DisableManualCompaction();  // ends the one that may be running
  thread_.join();
  parts_.database.db().EnableManualCompaction();
}

void Reclaimer::loop() {
  const auto tick_interval = std::min(kTickInterval, options_.interval);
  auto next_round = std::chrono::steady_clock::now() + options_.interval;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, tick_interval, [this] { return stop_; })) return;
    }
    tick();
    if (std::chrono::steady_clock::now() < next_round) continue;
    run_round();
    next_round = std::chrono::steady_clock::now() + options_.interval;
  }
}

void Reclaimer::tick() {
  parts_.clock.tick();
  parts_.guard.check();
  parts_.writer.refresh_mark();
  parts_.checkpoints.serve();
}

bool Reclaimer::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void Reclaimer::run_round() {
  const std::uint64_t writes = parts_.writer.counts().writes;
  const bool idle = std::exchange(writes_seen_, writes) == writes;
  const std::int64_t cutoff_ms = to_unix_ms(parts_.clock.now() - options_.grace);
  drop_ended_counts();
  drop_prefixes();
  const Status status = expired_bodies_.reclaim(cutoff_ms, idle);
  if (!status.ok() && !stopping())
    log::warn("storage: could not expire large values: " + status.message());
  flush_expired(cutoff_ms);
  for (int i = 0; i < kFilesPerRoundMax && !stopping(); ++i) {
    const auto file = worst_file(cutoff_ms, idle);
    if (!file) return;
    compact(*file);
    tick();
  }
}

void Reclaimer::drop_ended_counts() {
  const Status status = parts_.writer.stage(
      [this](WriteGroup& group) {
        parts_.usage.drop_ended(
            group.now_ms(), kCountsPerRoundMax, group.database(), group.batch());
        return Status();
      },
      0);
  if (!status.ok() && !stopping())
    log::warn("storage: could not remove old counts: " + status.message());
}

void Reclaimer::drop_prefixes() {
  while (!parts_.dropped.current()->empty() && !stopping()) {
    const std::size_t before = parts_.dropped.current()->size();
    const Status status = drop_one_prefix(parts_.database, parts_.writer, parts_.dropped);
    if (!status.ok() && !stopping()) log::warn("storage: " + status.message());
    if (!status.ok() || parts_.dropped.current()->size() >= before) return;
    tick();
  }
}

void Reclaimer::flush_expired(std::int64_t cutoff_ms) {
  const std::uint64_t earliest_ms = parts_.writer.min_unflushed_expiry_ms();
  if (cutoff_ms < 0 || earliest_ms > static_cast<std::uint64_t>(cutoff_ms)) return;
  // Forgotten first: an entry written meanwhile asks for another flush, at worst for nothing.
  parts_.writer.forget_unflushed_expiry();
  const Status status = parts_.database.flush();
  if (!status.ok()) log::warn("storage: reclaiming: " + status.message());
}

std::optional<Reclaimer::Candidate> Reclaimer::worst_file(std::int64_t cutoff_ms, bool idle) {
  if (cutoff_ms <= 0) return std::nullopt;
  rocksdb::TablePropertiesCollection tables;
  const auto status =
      parts_.database.db().GetPropertiesOfAllTables(parts_.database.entries(), &tables);
  if (!status.ok()) {
    log::warn("storage: " + from_rocksdb(status, "could not read table properties").message());
    return std::nullopt;
  }
  std::map<std::string, const rocksdb::TableProperties*> by_name;
  for (const auto& [path, table] : tables) by_name.emplace(base_name(path), table.get());

  std::vector<rocksdb::LiveFileMetaData> files;
  parts_.database.db().GetLiveFilesMetaData(&files);
  // On an idle node everything goes, but a file of mixed expiries not at every round.
  const std::int64_t overdue_ms = cutoff_ms - 2 * options_.interval.count();
  std::optional<Candidate> worst;
  for (const auto& file : files) {
    const auto found = by_name.find(base_name(file.name));
    if (found == by_name.end() || file.column_family_name != rocksdb::kDefaultColumnFamilyName) {
      continue;
    }
    const auto expiry = expiry_properties_of(*found->second);
    if (!expiry) continue;
    const std::uint64_t expired = expiry->expired_bytes(static_cast<std::uint64_t>(cutoff_ms));
    const std::uint64_t all = found->second->raw_key_size + found->second->raw_value_size;
    const bool worth = expired * kWorthDenominator >= all * kWorthNumerator;
    const bool overdue =
        idle && overdue_ms > 0 && expiry->min_expiry_ms < static_cast<std::uint64_t>(overdue_ms);
    if (expired == 0 || !(worth || overdue)) continue;
    if (worst && worst->expired_bytes >= expired) continue;
    std::string identity =
        file.smallestkey + file.largestkey + std::to_string(expiry->min_expiry_ms);
    if (fruitless_.contains(identity)) continue;
    worst = Candidate{file.name, file.smallestkey, file.largestkey, std::move(identity), expired};
  }
  return worst;
}

void Reclaimer::compact(const Candidate& file) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Slice begin(file.smallest);
  const rocksdb::Slice end(file.largest);
  const std::uint64_t dropped_before = parts_.filter->dropped();
  const auto status =
      parts_.database.db().CompactRange(options, parts_.database.entries(), &begin, &end);
  if (!status.ok()) {
    if (!stopping()) {
      log::warn("storage: " + from_rocksdb(status, "could not reclaim " + file.name).message());
    }
  } else if (parts_.filter->dropped() != dropped_before) {
    return;
  }
  // Tried in vain (say, a damaged record that looks expired): not again at every round.
  if (fruitless_.size() >= kFruitlessMax) fruitless_.clear();
  fruitless_.insert(file.identity);
}

}  // namespace edged::storage
