// SPDX-License-Identifier: Apache-2.0
// See pgoutput.h.
#include "worker/mirror/pgoutput.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

namespace edged::mirror {
namespace {

// PostgreSQL counts microseconds since 2000-01-01.
constexpr std::int64_t kEpochOffsetMs = 946'684'800'000;

// Reads what is there; after the first read past the end everything is zero and failed() is true.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }
  char letter() { return static_cast<char>(integer(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
  std::uint64_t u64() { return integer(8); }
  WallTime time() {
    const auto microseconds = static_cast<std::int64_t>(integer(8));
    return from_unix_ms(kEpochOffsetMs + microseconds / 1000);
  }

  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  // Up to a NUL, which is taken too.
  std::string_view text() {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return taken;
  }

  std::string_view rest() { return std::exchange(rest_, {}); }
  std::size_t remaining() const { return rest_.size(); }
  bool failed() const { return failed_; }

 private:
  void fail() {
    failed_ = true;
    rest_ = {};
  }
  std::uint64_t integer(std::size_t count) {
    std::uint64_t value = 0;
    for (const char byte : bytes(count)) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }

  std::string_view rest_;
  bool failed_ = false;
};

Status bad(const std::string& why) {
  return {Code::kBadFrame, "could not read the replication stream: " + why};
}

Status read_row(Reader& reader, Row& row) {
  const std::size_t columns = reader.u16();
  row.reserve(std::min(columns, reader.remaining()));
  for (std::size_t i = 0; i < columns && !reader.failed(); ++i) {
    ColumnValue value;
    const char kind = reader.letter();
    value.kind = static_cast<ColumnValue::Kind>(kind);
    switch (value.kind) {
      case ColumnValue::Kind::kNull:
      case ColumnValue::Kind::kUnchanged:
        break;
      case ColumnValue::Kind::kText:
      case ColumnValue::Kind::kBinary:
        value.bytes = reader.bytes(reader.u32());
        break;
      default:
        return reader.failed() ? Status() : bad(std::string("a column of kind ") + kind);
    }
    row.push_back(value);
  }
  return {};
}

// `kind` has been read: 'K' or 'O'.
Status read_old_row(Reader& reader, char kind, OldRow& old) {
  if (kind != 'K' && kind != 'O') {
    return reader.failed() ? Status() : bad("an old row of another kind than K and O");
  }
  old.whole = kind == 'O';
  return read_row(reader, old.row);
}

Result<Message> read_relation(Reader& reader) {
  Relation relation;
  relation.id = reader.u32();
  relation.schema = reader.text();
  relation.name = reader.text();
  const char identity = reader.letter();
  relation.identity = static_cast<ReplicaIdentity>(identity);
  if (!reader.failed() && std::string_view("dnfi").find(identity) == std::string_view::npos) {
    return bad(std::string("replica identity ") + identity);
  }
  const std::size_t columns = reader.u16();
  for (std::size_t i = 0; i < columns && !reader.failed(); ++i) {
    RelationColumn column;
    column.key = (reader.u8() & 1) != 0;
    column.name = reader.text();
    column.type = reader.u32();
    column.modifier = static_cast<std::int32_t>(reader.u32());
    relation.columns.push_back(column);
  }
  return Message(std::move(relation));
}

Result<Message> read_insert(Reader& reader) {
  Insert insert;
  insert.relation = reader.u32();
  if (reader.letter() != 'N' && !reader.failed()) return bad("an insert without a new row");
  Status status = read_row(reader, insert.row);
  if (!status.ok()) return status;
  return Message(std::move(insert));
}

Result<Message> read_update(Reader& reader) {
  Update update;
  update.relation = reader.u32();
  char kind = reader.letter();
  if (kind != 'N') {
    update.old.emplace();
    Status status = read_old_row(reader, kind, *update.old);
    if (!status.ok()) return status;
    kind = reader.letter();
  }
  if (kind != 'N' && !reader.failed()) return bad("an update without a new row");
  Status status = read_row(reader, update.row);
  if (!status.ok()) return status;
  return Message(std::move(update));
}

Result<Message> read_delete(Reader& reader) {
  Delete deleted;
  deleted.relation = reader.u32();
  const char kind = reader.letter();
  Status status = read_old_row(reader, kind, deleted.old);
  if (!status.ok()) return status;
  return Message(std::move(deleted));
}

Result<Message> read_truncate(Reader& reader) {
  Truncate truncate;
  const std::size_t relations = reader.u32();
  const std::uint8_t options = reader.u8();
  truncate.cascade = (options & 1) != 0;
  truncate.restart_identity = (options & 2) != 0;
  for (std::size_t i = 0; i < relations && !reader.failed(); ++i) {
    truncate.relations.push_back(reader.u32());
  }
  return Message(std::move(truncate));
}

Result<Message> read_logical_message(Reader& reader) {
  LogicalMessage message;
  message.transactional = (reader.u8() & 1) != 0;
  message.lsn = reader.u64();
  message.prefix = reader.text();
  message.content = reader.bytes(reader.u32());
  return Message(message);
}

// Order of evaluation in braces is that of the fields.
Result<Message> read_message(char kind, Reader& reader) {
  switch (kind) {
    case 'B':
      return Message(Begin{reader.u64(), reader.time(), reader.u32()});
    case 'C':
      reader.u8();  // flags, of which there are none
      return Message(Commit{reader.u64(), reader.u64(), reader.time()});
    case 'O':
      return Message(Origin{reader.u64(), reader.text()});
    case 'R':
      return read_relation(reader);
    case 'Y':
      return Message(Type{reader.u32(), reader.text(), reader.text()});
    case 'I':
      return read_insert(reader);
    case 'U':
      return read_update(reader);
    case 'D':
      return read_delete(reader);
    case 'T':
      return read_truncate(reader);
    case 'M':
      return read_logical_message(reader);
    default:
      return bad("a message of unknown type " + std::to_string(static_cast<int>(kind)));
  }
}

void append(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

}  // namespace

std::string to_text(Lsn lsn) {
  char text[20];
  std::snprintf(text,
                sizeof text,
                "%X/%X",
                static_cast<unsigned>(lsn >> 32),
                static_cast<unsigned>(lsn & 0xFFFFFFFFU));
  return text;
}

Result<Lsn> parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view halves[] = {
      text.substr(0, slash),
      slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1)};
  Lsn lsn = 0;
  for (const std::string_view half : halves) {
    std::uint32_t value = 0;
    const char* end = half.data() + half.size();
    const auto parsed = std::from_chars(half.data(), end, value, 16);
    if (half.empty() || half.size() > 8 || parsed.ec != std::errc() || parsed.ptr != end) {
      return Status(Code::kInvalidArgument,
                    "\"" + std::string(text) +
                        "\" is not a position in the log; a position looks like 16/B374D848");
    }
    lsn = lsn << 32 | value;
  }
  return lsn;
}

Result<Message> decode_message(std::string_view bytes) {
  if (bytes.empty()) return bad("an empty message");
  const char kind = bytes.front();
  Reader reader(bytes.substr(1));
  Result<Message> message = read_message(kind, reader);
  if (!message) return message;
  if (reader.failed()) return bad(std::string("a message ") + kind + " is cut off");
  if (reader.remaining() > 0)
    return bad(std::string("a message ") + kind + " is longer than its fields");
  return message;
}

Result<StreamFrame> decode_stream_frame(std::string_view bytes) {
  if (bytes.empty()) return bad("an empty frame");
  Reader reader(bytes.substr(1));
  std::optional<StreamFrame> frame;
  if (bytes.front() == 'w') {
    frame = WalData{reader.u64(), reader.u64(), reader.time(), reader.rest()};
  } else if (bytes.front() == 'k') {
    frame = Keepalive{reader.u64(), reader.time(), reader.u8() != 0};
  } else {
    return bad("a frame of unknown type " + std::to_string(static_cast<int>(bytes.front())));
  }
  if (reader.failed()) return bad("a frame is cut off");
  if (reader.remaining() > 0) return bad("a frame is longer than its fields");
  return *frame;
}

std::string encode_status_update(Lsn received, Lsn flushed, WallTime now, bool wants_reply) {
  std::string bytes = "r";
  append(bytes, received);
  append(bytes, flushed);
  append(bytes, flushed);  // applied: readable here as soon as it is kept
  append(bytes, static_cast<std::uint64_t>((to_unix_ms(now) - kEpochOffsetMs) * 1000));
  bytes.push_back(wants_reply ? 1 : 0);
  return bytes;
}

}  // namespace edged::mirror
