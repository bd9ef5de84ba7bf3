// SPDX-License-Identifier: Apache-2.0
// Logs made by hand, record by record, against what scan_log says of them; and the arithmetic of
// join_logs.
#include "kvstore/storage/recovery/log_scan.h"

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include <fstream>

#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/recovery/log_survey.h"
#include "proto/base/crc32c.h"
#include "tests/support/temp_dir.h"

namespace edged::storage {
namespace {

constexpr char kFull = 1, kFirst = 2, kLast = 4, kRecyclableFull = 5;

std::string record(char type, const std::string& payload) {
  std::string rest(1, type);
  if (type >= kRecyclableFull) append_le(rest, std::uint32_t{7});
  rest += payload;
  const std::uint32_t crc = extend_crc32c(0, rest);
  std::string bytes;
  append_le(bytes, ((crc >> 15) | (crc << 17)) + 0xa282ead8U);
  append_le(bytes, static_cast<std::uint16_t>(payload.size()));
  return bytes + rest;
}

std::string batch(std::uint64_t sequence, std::uint32_t count, std::size_t filler = 20) {
  std::string bytes;
  append_le(bytes, sequence);
  append_le(bytes, count);
  return bytes + std::string(filler, 'b');
}

class LogScanTest : public ::testing::Test {
 protected:
  LogScan scan(const std::string& bytes) {
    const std::string path = dir_.path() + "/000004.log";
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    auto scanned = scan_log(*rocksdb::FileSystem::Default(), path);
    EXPECT_TRUE(scanned) << scanned.error().to_string();
    return *scanned;
  }

  test::TempDir dir_;
  const std::string three_ =
      record(kFull, batch(1, 2)) + record(kFull, batch(3, 1)) + record(kFull, batch(4, 5));
};

TEST_F(LogScanTest, CountsWholeBatches) {
  const LogScan found = scan(three_);
  EXPECT_EQ(found.damage, LogDamage::kNone);
  EXPECT_EQ(found.whole.batches, 3U);
  EXPECT_EQ(found.whole.operations, 8U);
  EXPECT_EQ(found.whole.first_sequence, 1U);
  EXPECT_EQ(found.whole.last_sequence, 8U);
  EXPECT_EQ(scan("").damage, LogDamage::kNone);
  EXPECT_EQ(scan(three_ + std::string(9000, '\0')).damage, LogDamage::kNone);
}

TEST_F(LogScanTest, PutsFragmentsTogetherAcrossBlocks) {
  const std::string large = batch(1, 3, 40'000);
  const std::string first = record(kFirst, large.substr(0, 32 * 1024 - 7));
  const std::string last = record(kLast, large.substr(32 * 1024 - 7));
  const LogScan found = scan(first + last + record(kFull, batch(4, 1)));
  EXPECT_EQ(found.damage, LogDamage::kNone);
  EXPECT_EQ(found.whole.last_sequence, 4U);
  const LogScan halved = scan(first);
  EXPECT_EQ(halved.damage, LogDamage::kCutShort);
  EXPECT_EQ(halved.damage_offset, 0U);
  EXPECT_EQ(scan(first + std::string(100, '\0')).damage, LogDamage::kZeros);
  EXPECT_EQ(scan(first + record(kFull, batch(1, 1))).damage, LogDamage::kFragment);
  EXPECT_EQ(scan(record(kLast, "x") + three_).damage, LogDamage::kFragment);
}

TEST_F(LogScanTest, CountsTheRecordsOfAManifest) {
  std::string bytes = record(kFull, "one") + record(kFull, "two");
  const std::size_t whole = bytes.size();
  bytes += record(kFull, "three");
  bytes.back() = 'x';
  const std::string path = dir_.path() + "/MANIFEST-000005";
  std::ofstream(path, std::ios::binary) << bytes;
  const auto found = scan_manifest(*rocksdb::FileSystem::Default(), path);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->damage, LogDamage::kChecksum);
  EXPECT_EQ(found->damage_offset, whole);
  EXPECT_EQ(found->whole.batches, 2U);
  EXPECT_EQ(found->behind.batches, 0U);
}

TEST_F(LogScanTest, ReadsRecyclableRecords) {
  const LogScan found = scan(record(kRecyclableFull, batch(1, 2)) + record(kFull, batch(3, 1)));
  EXPECT_EQ(found.damage, LogDamage::kNone);
  EXPECT_EQ(found.whole.last_sequence, 3U);
}

TEST_F(LogScanTest, SaysWhereDamageIsAndWhatLiesBehind) {
  const std::size_t second = record(kFull, batch(1, 2)).size();
  std::string bytes = three_;
  bytes[second + 10] ^= 1;
  LogScan found = scan(bytes);
  EXPECT_EQ(found.damage, LogDamage::kChecksum);
  EXPECT_EQ(found.damage_offset, second);
  EXPECT_EQ(found.whole.last_sequence, 2U);
  EXPECT_EQ(found.behind.batches, 1U);
  EXPECT_EQ(found.behind.first_sequence, 4U);
  EXPECT_EQ(found.behind.last_sequence, 8U);

  bytes = three_;
  bytes[second + 6] = 77;
  EXPECT_EQ(scan(bytes).damage, LogDamage::kHeader);
  EXPECT_EQ(scan(bytes).behind.batches, 1U);

  bytes = three_;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(second), 39, '\0');
  EXPECT_EQ(scan(bytes).damage, LogDamage::kZeros);
  EXPECT_EQ(scan(bytes).behind.batches, 1U);

  found = scan(three_.substr(0, three_.size() - 1));
  EXPECT_EQ(found.damage, LogDamage::kCutShort);
  EXPECT_EQ(found.behind.batches, 0U);
  found = scan(record(kFull, batch(1, 2)) + record(kFull, batch(4, 1)));
  EXPECT_EQ(found.damage, LogDamage::kSequence);
  EXPECT_EQ(found.behind.first_sequence, 4U);
}

TEST_F(LogScanTest, FindsABlockOfZerosBetweenBlocks) {
  // Whole blocks, so that the hole begins and ends where records do.
  std::string block;
  std::uint64_t sequence = 1;
  for (; block.size() < 32 * 1024; ++sequence) block += record(kFull, batch(sequence, 1, 489));
  block.resize(32 * 1024);  // 64 records of 508 bytes leave 256 bytes
  const std::size_t whole = 32 * 1024 / 508 * 508;
  std::fill(block.begin() + static_cast<std::ptrdiff_t>(whole), block.end(), '\0');
  const LogScan found = scan(block + std::string(32 * 1024, '\0') + record(kFull, batch(500, 1)));
  EXPECT_EQ(found.damage, LogDamage::kZeros);
  EXPECT_EQ(found.damage_offset, whole);
  EXPECT_EQ(found.behind.first_sequence, 500U);
}

LogSpan span(std::uint64_t first, std::uint64_t last) {
  if (first == 0) return {};
  return {1, last - first + 1, first, last};
}

SurveyedLog log_of(LogSpan whole, LogDamage damage = LogDamage::kNone, LogSpan behind = {}) {
  SurveyedLog log;
  log.scan.whole = whole;
  log.scan.damage = damage;
  log.scan.damage_offset = damage == LogDamage::kNone ? 0 : 100;
  log.scan.behind = behind;
  return log;
}

TEST(JoinLogsTest, FollowsLogsThatJoin) {
  const auto survey = join_logs(5, {log_of(span(3, 9)), log_of({}), log_of(span(10, 12))});
  EXPECT_EQ(survey.recovered_sequence, 12U);
  EXPECT_FALSE(survey.broken);
  EXPECT_EQ(join_logs(5, {}).recovered_sequence, 5U);
  EXPECT_EQ(join_logs(5, {log_of({})}).recovered_sequence, 5U);
}

TEST(JoinLogsTest, StopsAtAGap) {
  auto survey = join_logs(5, {log_of(span(7, 9))});
  ASSERT_TRUE(survey.broken);
  EXPECT_EQ(survey.recovered_sequence, 5U);
  EXPECT_EQ(survey.broken->behind.first_sequence, 7U);
  survey = join_logs(0, {log_of(span(1, 4)), log_of(span(6, 7)), log_of(span(8, 9))});
  ASSERT_TRUE(survey.broken);
  EXPECT_EQ(survey.broken->log, 1U);
  EXPECT_EQ(survey.recovered_sequence, 4U);
  EXPECT_EQ(survey.broken->behind.batches, 2U);
  EXPECT_EQ(survey.broken->behind.last_sequence, 9U);
}

TEST(JoinLogsTest, StopsAtDamageUnlessNothingIsMissingBehindIt) {
  auto survey = join_logs(0, {log_of(span(1, 4), LogDamage::kChecksum), log_of(span(5, 7))});
  EXPECT_FALSE(survey.broken);
  EXPECT_EQ(survey.recovered_sequence, 7U);
  survey = join_logs(0, {log_of(span(1, 4), LogDamage::kCutShort), log_of(span(6, 7))});
  ASSERT_TRUE(survey.broken);
  EXPECT_FALSE(survey.torn_only());
  EXPECT_EQ(survey.recovered_sequence, 4U);
  survey = join_logs(0, {log_of(span(1, 4), LogDamage::kCutShort), log_of({})});
  EXPECT_TRUE(survey.torn_only());
}

}  // namespace
}  // namespace edged::storage
