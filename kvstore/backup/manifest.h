// SPDX-License-Identifier: Apache-2.0
// What a backup consists of, as JSON (docs/storage-format.md, section 10): its files with their
// sizes and SHA-256, and last a SHA-256 of the text before it. A backup without a whole manifest is
// none. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::backup {

inline constexpr std::uint64_t kManifestFormat = 1;
inline constexpr std::size_t kManifestBytesMax = 256 * 1024 * 1024;  // a million table files
inline constexpr std::uint64_t kNumberMax = 999'999;

struct BackupFile {
  std::string path;    // in the data directory: "db/000012.sst", "store.mark"
  std::string stored;  // in the backup directory: "tables/….sst", "000003/db/CURRENT"
  std::uint64_t bytes = 0;
  std::string sha256;  // 64 hexadecimal digits

  bool operator==(const BackupFile&) const = default;
};

struct Manifest {
  std::uint64_t number = 0;  // 1..kNumberMax
  WallTime created{};
  std::string store;  // which store it is of, the same after a restore: 1..128 characters
  std::vector<BackupFile> files;

  std::uint64_t bytes() const;
};

// "000003": the name of a backup's directory.
std::string directory_name(std::uint64_t number);

std::string render_manifest(const Manifest& manifest);

// Safe on any bytes: of what it accepts, no path leads out of its directory. Errors: kCorruption
// (its checksum or its shape is wrong); kUnsupported (a later release wrote it).
Result<Manifest> parse_manifest(std::string_view text);

}  // namespace edged::backup
