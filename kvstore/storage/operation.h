// SPDX-License-Identifier: Apache-2.0
// What a store can be asked to write, and what became of it. Value types. A time-to-live is judged
// by the store's clock at the moment of the write; an expiry that is past already stores nothing,
// and that is no error. Source: docs/storage-format.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::storage {

// Identifies a namespace for as long as it exists. Never reused; stable across restarts.
using NamespaceNumber = std::uint32_t;
// max(previous + 1, wall microseconds): also tells when the entry was written.
using Version = std::uint64_t;

inline constexpr std::size_t kKeyBytesMax = 512;
inline constexpr std::size_t kValueBytesMax = 25 * 1024 * 1024;
inline constexpr std::size_t kMetadataBytesMax = 1024;
inline constexpr std::size_t kTitleBytesMax = 512;
inline constexpr std::size_t kOperationsPerWriteMax = 10'000;
inline constexpr std::size_t kAtomicBytesMax = 8 * 1024 * 1024;
// 2200-01-01T00:00:00Z. Later expirations are refused, so no sum with a grace period can overflow.
inline constexpr std::uint64_t kExpiryMsMax = 7'258'118'400'000;
inline constexpr std::size_t kMirrorPositionBytesMax = 64;

struct Entry {
  std::string value;     // 0..25 MiB
  std::string metadata;  // JSON text, 0..1024 bytes; empty: none
  std::optional<WallTime> expires_at;
  Version version = 0;
};

// kWal: in the kernel, survives kill -9. kSync: on disk, survives power loss.
enum class Durability { kWal, kSync };
enum class Condition { kNone, kAbsent, kPresent, kVersion };

// A value that was uploaded ahead of the Put that names it (ValueUpload). 0: none.
struct StagedValue {
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
};

struct Put {
  NamespaceNumber ns = 0;
  std::string key;  // 1..512 bytes
  std::string value;
  std::string metadata;
  std::optional<WallTime> expires_at;
  std::optional<std::chrono::milliseconds> ttl;  // above 0; wins over expires_at
  Condition condition = Condition::kNone;
  Version version = 0;      // for kVersion
  std::uint64_t lease = 0;  // not 0: written only if this lease still holds, else kStale
  StagedValue staged;       // instead of value
};

struct Delete {
  NamespaceNumber ns = 0;
  std::string key;
  Condition condition = Condition::kNone;  // kNone, kPresent or kVersion
  Version version = 0;
};

// Gives a live entry another expiry, none if neither field is set, and a new version. kNotFound if
// there is no live entry.
struct Touch {
  NamespaceNumber ns = 0;
  std::string key;
  std::optional<WallTime> expires_at;
  std::optional<std::chrono::milliseconds> ttl;
  Condition condition = Condition::kNone;  // kNone or kVersion
  Version version = 0;
  bool want_entry = false;  // answer the entry as it is now: get-and-touch
};

// Adds to a value that is a decimal 64-bit integer ("-12"). An absent entry counts as `initial` and
// is created; its expiry is set then and not by later additions. kInvalidArgument: the value is no
// such number, or the sum does not fit.
struct Add {
  NamespaceNumber ns = 0;
  std::string key;
  std::int64_t delta = 0;
  std::int64_t initial = 0;
  std::optional<WallTime> expires_at;
  std::optional<std::chrono::milliseconds> ttl;
};

// Writes nothing: a condition of an atomic Write on an entry that it leaves alone.
struct Check {
  NamespaceNumber ns = 0;
  std::string key;
  Condition condition = Condition::kPresent;  // kAbsent, kPresent or kVersion
  Version version = 0;
};

using Operation = std::variant<Put, Delete, Touch, Add, Check>;

struct WriteOutcome {
  // kOk; kExists (kAbsent failed); kNotFound (nothing there that the operation needs);
  // kVersionMismatch; kStale (the lease is void; a Check of a mirrored key that is stale);
  // kConflict (another operation of the atomic Write failed, or the key is its mirror's to write);
  // or why this operation is refused.
  Code code = Code::kOk;
  std::string message;  // empty if kOk
  Version version = 0;  // of the entry written; with kExists or kVersionMismatch: of the one found
  std::optional<Entry> entry;          // of a Touch that wants it
  std::optional<std::int64_t> number;  // the sum of an Add
};

// Says that a Write is the mirror's of a namespace: it may write the keys that the mirror owns
// there and those reserved for it (docs/storage-format.md, section 9).
struct MirrorMark {
  NamespaceNumber ns = 0;
  std::string position;  // 0..64 bytes; empty: none known
  // Present: position and time are stored with what is written, if all of it is.
  std::optional<WallTime> fresh_as_of;
};

// Operations are judged in order; each sees the effects of those before it. They may name different
// namespaces. Not atomic: each stands alone. Atomic: if one fails, none is written.
struct Write {
  std::vector<Operation> operations;  // 1..10,000
  Durability durability = Durability::kWal;
  bool atomic = false;               // then keys, values and metadata together are at most 8 MiB
  std::optional<MirrorMark> mirror;  // then atomic, too
};

}  // namespace edged::storage
