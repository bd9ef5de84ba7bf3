// SPDX-License-Identifier: Apache-2.0
// What PostgreSQL sends over a replication connection, taken apart: the frames of the streaming
// replication protocol (PostgreSQL 15 documentation, section 55.4) and, inside them, the messages
// of the output plugin pgoutput, protocol version 1 (sections 55.5 and 55.9). Integers are
// big-endian. Everything is a view into the bytes that were decoded. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::mirror {

// A position in the write-ahead log, in bytes. 0: none.
using Lsn = std::uint64_t;

// "16/B374D848", as PostgreSQL writes it.
std::string to_text(Lsn lsn);
// Errors: kInvalidArgument.
Result<Lsn> parse_lsn(std::string_view text);

// --- pgoutput ---

struct Begin {
  Lsn final_lsn = 0;  // of the transaction's commit record
  WallTime committed_at{};
  std::uint32_t xid = 0;
};

struct Commit {
  Lsn lsn = 0;
  Lsn end_lsn = 0;  // behind the transaction: what may be acknowledged once it is kept
  WallTime committed_at{};
};

struct Origin {
  Lsn lsn = 0;
  std::string_view name;
};

// How rows of a table are told apart in updates and deletes.
enum class ReplicaIdentity : char { kDefault = 'd', kNothing = 'n', kFull = 'f', kIndex = 'i' };

struct RelationColumn {
  bool key = false;  // part of the replica identity
  std::string_view name;
  std::uint32_t type = 0;  // its oid in pg_type
  std::int32_t modifier = -1;
};

// Comes before the first change of a table in a session, and again when the table has changed.
struct Relation {
  std::uint32_t id = 0;     // its oid in pg_class
  std::string_view schema;  // empty: pg_catalog
  std::string_view name;
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::vector<RelationColumn> columns;
};

struct Type {
  std::uint32_t id = 0;
  std::string_view schema;
  std::string_view name;
};

struct ColumnValue {
  enum class Kind : char { kNull = 'n', kUnchanged = 'u', kText = 't', kBinary = 'b' };
  Kind kind = Kind::kNull;
  std::string_view bytes;  // of text and binary
};
// One for each column of the relation.
using Row = std::vector<ColumnValue>;

// What is sent of a row before its change: the columns of the replica identity, the others null.
struct OldRow {
  bool whole = false;  // replica identity FULL: all of it
  Row row;
};

struct Insert {
  std::uint32_t relation = 0;
  Row row;
};

struct Update {
  std::uint32_t relation = 0;
  std::optional<OldRow> old;  // absent: the replica identity has not changed
  Row row;
};

struct Delete {
  std::uint32_t relation = 0;
  OldRow old;
};

struct Truncate {
  std::vector<std::uint32_t> relations;
  bool cascade = false;
  bool restart_identity = false;
};

// From pg_logical_emit_message().
struct LogicalMessage {
  bool transactional = false;
  Lsn lsn = 0;
  std::string_view prefix;
  std::string_view content;
};

using Message = std::variant<Begin,
                             Commit,
                             Origin,
                             Relation,
                             Type,
                             Insert,
                             Update,
                             Delete,
                             Truncate,
                             LogicalMessage>;

// Errors: kBadFrame, which says what is wrong and where. A message of an unknown type is one too: a
// change that is not understood must not be passed over.
Result<Message> decode_message(std::string_view bytes);

// --- the frames around them ---

struct WalData {
  Lsn start = 0;
  Lsn end = 0;  // of the server's log when it sent this
  WallTime sent_at{};
  std::string_view message;
};

struct Keepalive {
  Lsn end = 0;
  WallTime sent_at{};
  bool wants_reply = false;
};

using StreamFrame = std::variant<WalData, Keepalive>;

// Errors: kBadFrame.
Result<StreamFrame> decode_stream_frame(std::string_view bytes);

// The answer: `flushed` is on disk here, and the server may forget it.
std::string encode_status_update(Lsn received, Lsn flushed, WallTime now, bool wants_reply);

}  // namespace edged::mirror
