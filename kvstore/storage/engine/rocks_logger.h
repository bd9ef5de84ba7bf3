// SPDX-License-Identifier: Apache-2.0
// RocksDB's info log as lines of ours. It must always be set: RocksDB's own logger writes a file,
// and on a full disk Debian's build aborts in it. It also remembers which log file recovery found
// damaged, because RocksDB's Status does not say. Any thread.
#pragma once

#include <rocksdb/env.h>

#include <atomic>
#include <cstdarg>
#include <mutex>
#include <string>

namespace edged::storage {

class RocksLogger final : public rocksdb::Logger {
 public:
  RocksLogger() : rocksdb::Logger(rocksdb::InfoLogLevel::INFO_LEVEL) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
  void LogHeader(const char* format, va_list arguments) override;

  // While quiet, everything goes to the debug level: what stops an opening is in its Status.
  void set_quiet(bool quiet) { quiet_.store(quiet); }

  // The path of the log in which recovery dropped bytes last; empty if it dropped none.
  std::string damaged_log() const;

 private:
  std::atomic<bool> quiet_{true};
  mutable std::mutex mutex_;  // guards damaged_log_
  std::string damaged_log_;
};

}  // namespace edged::storage
