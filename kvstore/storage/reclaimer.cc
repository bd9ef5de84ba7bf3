// SPDX-License-Identifier: Apache-2.0
// Which files are worth a compaction, and when.
#include "kvstore/storage/reclaimer.h"

#include <algorithm>
#include <utility>

#include "kvstore/storage/expiry_properties.h"
#include "kvstore/storage/rocks_status.h"
#include "proto/base/log.h"

namespace edged::storage {
namespace {

constexpr std::chrono::milliseconds kTickInterval{1000};
constexpr int kFilesPerRoundMax = 64;
constexpr std::size_t kFruitlessMax = 4096;
// A busy node rewrites a file only for this much: three tenths of it.
constexpr std::uint64_t kWorthNumerator = 3;
constexpr std::uint64_t kWorthDenominator = 10;

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Reclaimer::Reclaimer(Database& database,
                     Writer& writer,
                     StoreClock& clock,
                     std::shared_ptr<const TtlFilterFactory> filter,
                     Options options)
    : database_(database),
      writer_(writer),
      clock_(clock),
      filter_(std::move(filter)),
      options_(options),
      thread_([this] { loop(); }) {}

Reclaimer::~Reclaimer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  database_.db().DisableManualCompaction();  // ends the one that may be running
  thread_.join();
  database_.db().EnableManualCompaction();
}

void Reclaimer::loop() {
  const auto tick = std::min(kTickInterval, options_.interval);
  auto next_round = std::chrono::steady_clock::now() + options_.interval;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, tick, [this] { return stop_; })) return;
    }
    clock_.tick();
    writer_.refresh_mark();
    if (std::chrono::steady_clock::now() < next_round) continue;
    run_round();
    next_round = std::chrono::steady_clock::now() + options_.interval;
  }
}

bool Reclaimer::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void Reclaimer::run_round() {
  const std::uint64_t writes = writer_.counts().writes;
  const bool idle = std::exchange(writes_seen_, writes) == writes;
  const std::int64_t cutoff_ms = to_unix_ms(clock_.now() - options_.grace);
  flush_expired(cutoff_ms);
  for (int i = 0; i < kFilesPerRoundMax && !stopping(); ++i) {
    const auto file = worst_file(cutoff_ms, idle);
    if (!file) return;
    compact(*file);
    clock_.tick();
    writer_.refresh_mark();
  }
}

void Reclaimer::flush_expired(std::int64_t cutoff_ms) {
  const std::uint64_t earliest_ms = writer_.min_unflushed_expiry_ms();
  if (cutoff_ms < 0 || earliest_ms > static_cast<std::uint64_t>(cutoff_ms)) return;
  // Forgotten first: an entry written meanwhile asks for another flush, at worst for nothing.
  writer_.forget_unflushed_expiry();
  const Status status = database_.flush();
  if (!status.ok()) log::warn("storage: reclaiming: " + status.message());
}

std::optional<Reclaimer::Candidate> Reclaimer::worst_file(std::int64_t cutoff_ms, bool idle) {
  if (cutoff_ms <= 0) return std::nullopt;
  rocksdb::TablePropertiesCollection tables;
  const auto status = database_.db().GetPropertiesOfAllTables(database_.entries(), &tables);
  if (!status.ok()) {
    log::warn("storage: " + from_rocksdb(status, "could not read table properties").message());
    return std::nullopt;
  }
  std::map<std::string, const rocksdb::TableProperties*> by_name;
  for (const auto& [path, table] : tables) by_name.emplace(base_name(path), table.get());

  std::vector<rocksdb::LiveFileMetaData> files;
  database_.db().GetLiveFilesMetaData(&files);
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
  const std::uint64_t dropped_before = filter_->dropped();
  const auto status = database_.db().CompactRange(options, database_.entries(), &begin, &end);
  if (!status.ok()) {
    if (!stopping()) {
      log::warn("storage: " + from_rocksdb(status, "could not reclaim " + file.name).message());
    }
  } else if (filter_->dropped() != dropped_before) {
    return;
  }
  // Tried in vain (say, a damaged record that looks expired): not again at every round.
  if (fruitless_.size() >= kFruitlessMax) fruitless_.clear();
  fruitless_.insert(file.identity);
}

}  // namespace edged::storage
