// SPDX-License-Identifier: Apache-2.0
// The store's own mark beside the database: what was acknowledged, what was synced, and node time.
// On start it is compared with what recovery found, so that a lost write is never silent. Two slots
// are written in turn, each with a checksum, so a kill in the middle leaves the older one. The file
// is not synced (except on a clean close): after a power cut it can only say too little.
// One thread at a time. Layout: docs/storage-format.md, section 5.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/storage/store_clock.h"
#include "proto/base/status.h"

namespace edged::storage {

struct Mark {
  std::uint64_t acknowledged_sequence = 0;  // of RocksDB, after the last acknowledged write
  std::uint64_t synced_sequence = 0;        // of RocksDB, known to be on disk
  std::uint64_t version = 0;                // the last one given out
  bool clean = false;                       // closed in order, nothing to recover
  ClockMark clock;
};

class MarkFile {
 public:
  // Nothing if there is no file, or no slot in it is whole.
  static std::optional<Mark> read(const std::string& path);

  // Opens or creates the file for writing. Errors: kIoError.
  static Result<std::unique_ptr<MarkFile>> open(const std::string& path);

  ~MarkFile();
  MarkFile(const MarkFile&) = delete;
  MarkFile& operator=(const MarkFile&) = delete;

  // Into the kernel, or on disk if `sync`. A failure is logged once; the older mark stays.
  void write(const Mark& mark, bool sync);

 private:
  MarkFile(int descriptor, std::string path, std::uint64_t generation);

  const int descriptor_;
  const std::string path_;
  std::uint64_t generation_;
  bool failure_logged_ = false;
};

}  // namespace edged::storage
