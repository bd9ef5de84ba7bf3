// SPDX-License-Identifier: Apache-2.0
// Values above 64 KiB: in pieces on disk, whole or piece by piece for callers, and gone from the
// disk with their entry.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "kvstore/storage/format/record.h"
#include "kvstore/storage/format/value_chunks.h"
#include "tests/kvstore/store_fixture.h"

namespace edged::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Not compressible, and different at every place.
std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = 88172645463325252ULL + size;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return bytes;
}

class LargeValueTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    open();
  }

  std::string read_in_pieces(const std::string& key) {
    auto reader = store_->open_value(ns_, key);
    if (!reader) return reader.error().to_string();
    std::string value;
    for (;;) {
      const auto piece = (*reader)->read();
      if (!piece) return piece.error().to_string();
      if (piece->empty()) break;
      EXPECT_LE(piece->size(), kChunkBytes);
      value += *piece;
    }
    EXPECT_EQ(value.size(), (*reader)->value_bytes());
    return value;
  }

  Put upload(const std::string& key, const std::string& value, std::size_t piece_bytes) {
    auto made = store_->begin_upload(ns_);
    EXPECT_TRUE(made);
    for (std::size_t at = 0; at < value.size(); at += piece_bytes) {
      EXPECT_TRUE((*made)->append(value.substr(at, piece_bytes)).ok());
    }
    Put put = put_of(key, "");
    put.staged = *(*made)->finish();
    uploads_.push_back(std::move(*made));
    return put;
  }

  std::vector<std::unique_ptr<ValueUpload>> uploads_;
  void TearDown() override { uploads_.clear(); }
};

TEST_F(LargeValueTest, ComesBackWholeAtEverySizeAroundTheBounds) {
  for (const std::size_t size : {kInlineBytesMax,
                                 kInlineBytesMax + 1,
                                 kChunkBytes - 1,
                                 kChunkBytes,
                                 kChunkBytes + 1,
                                 3 * kChunkBytes,
                                 kValueBytesMax}) {
    const std::string value = bytes_of(size);
    ASSERT_EQ(put("k", value).code, Code::kOk) << size;
    EXPECT_TRUE(value_of("k") == value) << size;
    EXPECT_TRUE(read_in_pieces("k") == value) << size;
  }
  EXPECT_EQ(put("k", std::string(kValueBytesMax + 1, 'v')).code, Code::kTooLarge);
  reopen();
  EXPECT_TRUE(value_of("k") == bytes_of(kValueBytesMax));
}

TEST_F(LargeValueTest, IsListedWithItsSizeAndItsValueIfAsked) {
  const std::string value = bytes_of(300'000);
  put("a", value);
  put("b", "small");
  auto page = store_->list({ns_, "", "", 10, false});
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(page->items[0].value_bytes, 300'000U);
  EXPECT_EQ(page->items[0].entry.value, "");
  page = store_->list({ns_, "", "", 10, true});
  EXPECT_TRUE(page->items[0].entry.value == value);
  EXPECT_EQ(page->items[1].entry.value, "small");
}

TEST_F(LargeValueTest, ManyAreReadAtOnceFromOneMoment) {
  const std::string value = bytes_of(100'000);
  put("a", value);
  put("c", "small");
  const auto entries = store_->get_many(ns_, {"a", "b", "c", ""}, ReadTier::kDisk);
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_TRUE(entries[0] && entries[0]->value == value);
  EXPECT_EQ(entries[1].code(), Code::kNotFound);
  EXPECT_TRUE(entries[2] && entries[2]->value == "small");
  EXPECT_EQ(entries[3].code(), Code::kInvalidArgument);
  EXPECT_EQ(store_->get_many(99, {"a"}, ReadTier::kDisk)[0].code(), Code::kNamespaceNotFound);
}

TEST_F(LargeValueTest, AReaderKeepsWhatItOpenedForAMinute) {
  const std::string value = bytes_of(600'000);
  put("k", value);
  auto reader = store_->open_value(ns_, "k");
  ASSERT_TRUE(reader);
  put("k", "overwritten");
  auto piece = (*reader)->read();
  ASSERT_TRUE(piece);
  EXPECT_TRUE(value.starts_with(*piece));
  clock_.advance(seconds(61));
  EXPECT_EQ((*reader)->read().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(value_of("k"), "overwritten");
  EXPECT_EQ(store_->open_value(ns_, "absent").code(), Code::kNotFound);
}

TEST_F(LargeValueTest, UploadsComeInAnyPieces) {
  const std::string value = bytes_of(1'000'000);
  for (const std::size_t piece : {std::size_t{1000}, kChunkBytes, std::size_t{999'999}}) {
    const auto outcome = write(upload("k", value, piece));
    ASSERT_EQ(outcome.code, Code::kOk) << outcome.message;
    EXPECT_TRUE(value_of("k") == value);
  }
  EXPECT_EQ(write(upload("tiny", "abc", 2)).code, Code::kOk);
  EXPECT_EQ(value_of("tiny"), "abc");
  EXPECT_EQ(live_keys(), 2U);
  EXPECT_EQ(store_->stats().uploads, 0U);
}

TEST_F(LargeValueTest, AnUploadCanBePutOnceAndInItsOwnNamespaceOnly) {
  const auto other = store_->create_namespace("other", "");
  Put put = upload("k", bytes_of(100'000), 50'000);
  Put elsewhere = put;
  elsewhere.ns = other->number;
  EXPECT_EQ(write(elsewhere).code, Code::kInvalidArgument);
  Put refused = put;
  refused.condition = Condition::kPresent;
  EXPECT_EQ(write(refused).code, Code::kNotFound) << "a refused put leaves the upload";
  Put again = put;
  again.key = "k2";
  const auto outcomes = write_all({put, again}, false);
  EXPECT_EQ(outcomes[0].code, Code::kOk);
  EXPECT_EQ(outcomes[1].code, Code::kInvalidArgument);
  EXPECT_EQ(write(again).code, Code::kInvalidArgument);
  Put both = put;
  both.value = "v";
  EXPECT_EQ(write(both).code, Code::kInvalidArgument);
}

TEST_F(LargeValueTest, UploadsAreBoundedInSizeAndNumber) {
  auto made = store_->begin_upload(ns_);
  EXPECT_TRUE((*made)->append(std::string(kValueBytesMax, 'v')).ok());
  EXPECT_EQ((*made)->append("v").code(), Code::kTooLarge);
  EXPECT_EQ((*made)->finish().code(), Code::kTooLarge) << "the first failure stays";
  while (uploads_.size() < 255) uploads_.push_back(*store_->begin_upload(ns_));
  EXPECT_EQ(store_->begin_upload(ns_).code(), Code::kBusy);
  uploads_.clear();
  EXPECT_TRUE(store_->begin_upload(ns_));
  EXPECT_EQ(store_->begin_upload(99).code(), Code::kNamespaceNotFound);
}

TEST_F(LargeValueTest, WhatAKilledProcessWasUploadingIsRemoved) {
  close();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    open();
    auto half = store_->begin_upload(ns_);
    (void)(*half)->append(bytes_of(2'000'000));
    (void)write(upload("whole", bytes_of(500'000), 100'000));
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  open();
  EXPECT_TRUE(value_of("whole") == bytes_of(500'000));
  reopen();  // flushes: what is left is in table files
  while (store_->stats().disk_bytes > 1'000'000U) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(value_of("whole") == bytes_of(500'000));
  EXPECT_EQ(live_keys(), 1U);
}

TEST_F(LargeValueTest, ATouchDoesNotCopyTheValue) {
  const std::string value = bytes_of(3'000'000);
  put("k", value, seconds(10));
  reopen();
  const std::uint64_t before = store_->stats().disk_bytes;
  for (int i = 0; i < 20; ++i) {
    write(Touch{ns_, "k", {}, seconds(100 + i), Condition::kNone, 0, false});
  }
  clock_.advance(seconds(50));
  EXPECT_TRUE(value_of("k") == value);
  reopen();
  EXPECT_LT(store_->stats().disk_bytes, before + 100'000);
  EXPECT_TRUE(value_of("k") == value);
}

TEST_F(LargeValueTest, ExpiredOnesLeaveTheDiskOfAnIdleStore) {
  options_.expiry_grace = milliseconds(100);
  options_.reclaim_interval = milliseconds(5);
  reopen();
  for (int i = 0; i < 8; ++i) put("k" + std::to_string(i), bytes_of(1'000'000), seconds(10));
  put("stays", bytes_of(500'000));
  put("k7", bytes_of(700'000));  // overwritten: its old expiry means nothing any more
  clock_.advance(seconds(10) + milliseconds(200));
  while (store_->stats().disk_bytes > 2'000'000) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(value_of("stays") == bytes_of(500'000));
  EXPECT_TRUE(value_of("k7") == bytes_of(700'000));
  EXPECT_EQ(value_of("k0"), "(none)");
  EXPECT_EQ(live_keys(), 2U);
}

TEST_F(LargeValueTest, IsReadWholeWhileItIsOverwritten) {
  const std::string values[] = {bytes_of(600'000), bytes_of(700'000)};
  put("k", values[0]);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) put("k", values[i % 2]);
  });
  for (int round = 0; round < 200; ++round) {
    const std::string seen = value_of("k");
    ASSERT_TRUE(seen == values[0] || seen == values[1]) << seen.substr(0, 100);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace edged::storage
