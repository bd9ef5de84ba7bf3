// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of stored records (docs/storage-format.md).
#include "kvstore/storage/format/record.h"

#include "kvstore/storage/format/bytes.h"
#include "proto/base/crc32c.h"

namespace edged::storage {
namespace {

constexpr std::size_t kChecksumOffset = 4;
constexpr std::uint8_t kKnownFlags = kHasExpiry | kHasMetadata | kChunked;
constexpr std::size_t kBodyRefBytes = 16;  // u64 id, u64 bytes

std::uint32_t checksum_of(std::string_view stored_key, std::string_view record) {
  std::uint32_t crc = extend_crc32c(0, stored_key);
  crc = extend_crc32c(crc, record.substr(0, kChecksumOffset));
  crc = extend_crc32c(crc, std::string_view("\0\0\0\0", 4));
  return extend_crc32c(crc, record.substr(kChecksumOffset + 4));
}

}  // namespace

std::string encode_key(std::uint32_t prefix, std::string_view key) {
  std::string stored;
  stored.reserve(kPrefixBytes + key.size());
  append_be32(stored, prefix);
  stored.append(key);
  return stored;
}

std::string successor_of_prefix(std::string_view start) {
  std::string bound(start);
  while (!bound.empty() && static_cast<unsigned char>(bound.back()) == 0xff) bound.pop_back();
  if (!bound.empty())
    bound.back() = static_cast<char>(static_cast<unsigned char>(bound.back()) + 1);
  return bound;
}

std::string encode_record(std::string_view stored_key, const RecordParts& parts) {
  std::string record;
  encode_record_into(stored_key, parts, record);
  return record;
}

void encode_record_into(std::string_view stored_key,
                        const RecordParts& parts,
                        std::string& record) {
  std::uint8_t flags = 0;
  if (parts.expiry_ms != 0) flags |= kHasExpiry;
  if (!parts.metadata.empty()) flags |= kHasMetadata;
  if (parts.body) flags |= kChunked;
  record.clear();
  record.reserve(kHeaderBytes + parts.metadata.size() + parts.value.size());
  append_le(record, kRecordFormat);
  append_le(record, flags);
  append_le(record, static_cast<std::uint16_t>(parts.metadata.size()));
  append_le(record, std::uint32_t{0});
  append_le(record, parts.expiry_ms);
  append_le(record, parts.version);
  record.append(parts.metadata);
  if (parts.body) {
    append_le(record, parts.body->id);
    append_le(record, parts.body->bytes);
  } else {
    record.append(parts.value);
  }
  const std::uint32_t checksum = checksum_of(stored_key, record);
  for (std::size_t i = 0; i < 4; ++i) {
    record[kChecksumOffset + i] = static_cast<char>((checksum >> (8 * i)) & 0xff);
  }
}

std::optional<RecordHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || load_le<std::uint8_t>(bytes, 0) != kRecordFormat) {
    return std::nullopt;
  }
  RecordHeader header;
  header.flags = load_le<std::uint8_t>(bytes, 1);
  header.metadata_bytes = load_le<std::uint16_t>(bytes, 2);
  header.checksum = load_le<std::uint32_t>(bytes, kChecksumOffset);
  header.expiry_ms = load_le<std::uint64_t>(bytes, 8);
  header.version = load_le<std::uint64_t>(bytes, 16);
  if ((header.flags & ~kKnownFlags) != 0) return std::nullopt;
  if (((header.flags & kHasExpiry) != 0) != (header.expiry_ms != 0)) return std::nullopt;
  if (((header.flags & kHasMetadata) != 0) != (header.metadata_bytes != 0)) return std::nullopt;
  if (header.expiry_ms > kExpiryMsMax || header.metadata_bytes > kMetadataBytesMax ||
      header.metadata_bytes > bytes.size() - kHeaderBytes) {
    return std::nullopt;
  }
  if ((header.flags & kChunked) != 0 &&
      bytes.size() != kHeaderBytes + header.metadata_bytes + kBodyRefBytes) {
    return std::nullopt;
  }
  return header;
}

Result<RecordView> decode_record(std::string_view stored_key, std::string_view bytes) {
  // The checksum is judged first: a format or flag of a later release is only believed if it is
  // what was written.
  if (bytes.size() < kHeaderBytes) {
    return Status(Code::kCorruption, "stored record is cut short");
  }
  if (load_le<std::uint32_t>(bytes, kChecksumOffset) != checksum_of(stored_key, bytes)) {
    return Status(Code::kCorruption, "stored record has a wrong checksum");
  }
  const auto header = decode_header(bytes);
  if (!header) {
    return Status(Code::kUnsupported, "stored record has the layout of another release");
  }
  RecordView view;
  view.header = *header;
  view.metadata = bytes.substr(kHeaderBytes, header->metadata_bytes);
  const std::string_view rest = bytes.substr(kHeaderBytes + header->metadata_bytes);
  if ((header->flags & kChunked) == 0) {
    view.value = rest;
  } else {
    view.body = BodyRef{load_le<std::uint64_t>(rest, 0), load_le<std::uint64_t>(rest, 8)};
    if (view.body->bytes > kValueBytesMax) {
      return Status(Code::kUnsupported, "stored record has the layout of another release");
    }
  }
  return view;
}

}  // namespace edged::storage
