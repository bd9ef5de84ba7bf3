// SPDX-License-Identifier: Apache-2.0
// RocksDB tells much at INFO; that is our debug level. Its warnings and errors stay what they are.
#include "kvstore/storage/engine/rocks_logger.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "proto/base/log.h"

namespace edged::storage {
namespace {

log::Level level_of(rocksdb::InfoLogLevel level) {
  if (level >= rocksdb::InfoLogLevel::ERROR_LEVEL && level < rocksdb::InfoLogLevel::HEADER_LEVEL) {
    return log::Level::kError;
  }
  return level == rocksdb::InfoLogLevel::WARN_LEVEL ? log::Level::kWarn : log::Level::kDebug;
}

// "…/000004.log: dropping 5 bytes; Corruption: checksum mismatch" gives "…/000004.log".
std::string path_in(std::string_view line) {
  const auto end = line.find(".log: dropping ");
  if (end == std::string_view::npos) return {};
  line = line.substr(0, end + 4);
  const auto space = line.rfind(") ");  // RocksDB may say "(ignoring error) " first
  return std::string(space == std::string_view::npos ? line : line.substr(space + 2));
}

}  // namespace

void RocksLogger::Logv(const char* format, va_list arguments) {
  Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
}

void RocksLogger::LogHeader(const char* format, va_list arguments) {
  Logv(rocksdb::InfoLogLevel::DEBUG_LEVEL, format, arguments);
}

void RocksLogger::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (level < rocksdb::InfoLogLevel::WARN_LEVEL && !log::enabled(log::Level::kDebug)) return;
  std::array<char, 1024> line;
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length <= 0) return;
  std::string_view text(line.data(), std::min<std::size_t>(length, line.size() - 1));
  if (std::string path = path_in(text); !path.empty()) {
    const std::lock_guard lock(mutex_);
    damaged_log_ = std::move(path);
  }
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  log::write(quiet_.load() ? log::Level::kDebug : level_of(level), "rocksdb: " + std::string(text));
}

std::string RocksLogger::damaged_log() const {
  const std::lock_guard lock(mutex_);
  return damaged_log_;
}

}  // namespace edged::storage
