// SPDX-License-Identifier: Apache-2.0
// The abstract store: namespaces of keys with values, metadata, expiry and version. Everything
// above storage (server, HTTP faces, tools) uses this header alone; rocks_store.h is the
// implementation on RocksDB. Promises: an expired entry is absent on every read from the
// millisecond it expires; versions never go backwards and are never reused, restarts included; a
// write is answered only after the durability it asked for. Any thread may call every method unless
// stated.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::storage {

// Identifies a namespace for as long as it exists. Never reused; stable across restarts.
using NamespaceNumber = std::uint32_t;
// max(previous + 1, wall microseconds): also tells when the entry was written.
using Version = std::uint64_t;

struct Namespace {
  NamespaceNumber number = 0;
  std::string id;     // 32 lower-case hexadecimal digits
  std::string title;  // unique, 1..512 bytes of UTF-8
  WallTime created_at{};
};

struct Entry {
  std::string value;     // 0..25 MiB
  std::string metadata;  // JSON text, 0..1024 bytes; empty: none
  std::optional<WallTime> expires_at;
  Version version = 0;
};

// kWal: in the kernel, survives kill -9. kSync: on disk, survives power loss.
enum class Durability { kWal, kSync };
enum class Condition { kNone, kAbsent, kPresent, kVersion };

struct Put {
  NamespaceNumber ns = 0;
  std::string key;  // 1..512 bytes
  std::string value;
  std::string metadata;
  std::optional<WallTime>
      expires_at;  // a time already past: stored as absent, and that is no error
  std::optional<std::chrono::milliseconds>
      ttl;  // wins over expires_at; judged by the store's clock
  Condition condition = Condition::kNone;
  Version version = 0;  // for kVersion
};

struct Delete {
  NamespaceNumber ns = 0;
  std::string key;
  Condition condition = Condition::kNone;  // kNone, kPresent or kVersion
  Version version = 0;
};

using Operation = std::variant<Put, Delete>;

struct WriteOutcome {
  Code code =
      Code::kOk;  // kOk; kExists (kAbsent failed); kNotFound (kPresent failed, or a Delete with
                  // kPresent/kVersion met nothing); kVersionMismatch; or why this item is refused
  std::string message;  // empty if kOk
  Version version = 0;  // of the entry written; with kExists or kVersionMismatch: of the one found
};

// Each operation is judged alone, in order; an operation sees the effects of those before it.
struct Write {
  std::vector<Operation> operations;  // 1..10,000
  Durability durability = Durability::kWal;
};

// An error Status (busy, disk_full, io_error, …) means that nothing of the Write was acknowledged.
using WriteCallback = std::function<void(Result<std::vector<WriteOutcome>>)>;

// kMemory answers kBusy if the answer would need the disk: ask again with kDisk from a thread that
// may wait.
enum class ReadTier { kMemory, kDisk };

struct ListRequest {
  NamespaceNumber ns = 0;
  std::string prefix;          // 0..512 bytes
  std::string start_after;     // exclusive; empty: from the first
  std::uint32_t limit = 1000;  // 1..1000
  bool with_values = false;
};

struct ListItem {
  std::string key;
  Entry entry;  // value empty unless with_values
  std::uint64_t value_bytes = 0;
};

struct ListPage {
  std::vector<ListItem>
      items;               // ordered by the bytes of the key; may be empty although not complete
  std::string next_after;  // pass as start_after; meaningful if !complete
  bool complete = true;
};

struct StoreStats {
  std::uint64_t disk_bytes = 0;
  std::uint64_t memory_bytes = 0;       // block cache, memtables and table readers
  std::uint64_t keys_estimate = 0;      // all namespaces, expired but unreclaimed ones included
  std::uint64_t expired_reclaimed = 0;  // entries dropped by compaction since start
  // Acknowledged operations that opening found gone: not synced before a power cut, or accepted as
  // lost by --recovery=cache. RocksDB's count, which adds one to each write.
  std::uint64_t recovered_lost_writes = 0;
  std::uint64_t writes = 0, syncs = 0, write_groups = 0;  // since start
  std::string engine;                                     // "rocksdb 7.8.3"
};

class Store {
 public:
  virtual ~Store() = default;

  // Errors: kNotFound; kBusy (kMemory only); kCorruption; kIoError; kNamespaceNotFound.
  virtual Result<Entry> get(NamespaceNumber ns, std::string_view key, ReadTier tier) const = 0;

  // Blocks on disk. Errors: kInvalidArgument (limit, sizes); kCorruption; kIoError;
  // kNamespaceNotFound.
  virtual Result<ListPage> list(const ListRequest& request) const = 0;

  // Queues `write` for the writer thread and returns at once. `done` is called exactly once: on the
  // writer thread, or on the caller's if the queue is full (kBusy) or the store is closing
  // (kUnavailable). It must not block.
  virtual void submit(Write write, WriteCallback done) = 0;

  // Blocks on disk; durable before it returns. An empty id makes a random one. Errors: kExists (id
  // or title in use); kInvalidArgument.
  virtual Result<Namespace> create_namespace(std::string title, std::string id) = 0;
  virtual std::vector<Namespace> list_namespaces() const = 0;
  // By id, or if none has that id by title. kNamespaceNotFound.
  virtual Result<Namespace> find_namespace(std::string_view id_or_title) const = 0;

  virtual StoreStats stats() const = 0;
};

// Waits for the outcome of one operation. Not to be called on the writer thread.
Result<WriteOutcome> write_and_wait(Store& store, Operation operation, Durability durability);

}  // namespace edged::storage
