// SPDX-License-Identifier: Apache-2.0
// The record layout byte by byte, and decoding of everything that is not a record.
#include "kvstore/storage/format/record.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kvstore/storage/format/bytes.h"
#include "proto/base/crc32c.h"
#include "proto/base/hex.h"

namespace edged::storage {
namespace {

TEST(Crc32cTest, GivesTheCheckValueHoweverTheBytesAreSplit) {
  EXPECT_EQ(extend_crc32c(0, "123456789"), 0xe3069283U);
  EXPECT_EQ(extend_crc32c(extend_crc32c(0, "1234"), "56789"), 0xe3069283U);
  EXPECT_EQ(extend_crc32c(0, ""), 0U);
}

struct Case {
  const char* name;
  std::uint32_t prefix;
  std::string key;
  RecordParts parts;
  const char* header_hex;  // without the checksum's four bytes
};

const std::vector<Case>& cases() {
  static const std::string metadata_max(kMetadataBytesMax, 'm');
  static const std::vector<Case> all{
      {"empty value", 1, "k", {0, 7, "", ""}, "0100000000000000000000000700000000000000"},
      {"value",
       1,
       "k",
       {0, 0x0102030405060708, "", "value"},
       "0100000000000000000000000807060504030201"},
      {"expiry",
       1,
       "k",
       {1'767'225'600'000, 7, "", "v"},
       "0101000000a8da769b0100000700000000000000"},
      {"metadata", 1, "k", {0, 7, R"({"a":1})", "v"}, "0102070000000000000000000700000000000000"},
      {"largest metadata, last expiry",
       0xfffffffe,
       std::string(512, 'k'),
       {kExpiryMsMax, UINT64_MAX, metadata_max, "v"},
       "0103000400a891e999060000ffffffffffffffff"},
  };
  return all;
}

std::string without_checksum(const std::string& record) {
  return to_hex(record.substr(0, 4) + record.substr(8, kHeaderBytes - 8));
}

TEST(RecordTest, EncodesTheDocumentedLayoutAndDecodesIt) {
  for (const Case& c : cases()) {
    const std::string key = encode_key(c.prefix, c.key);
    const std::string record = encode_record(key, c.parts);
    EXPECT_EQ(without_checksum(record), c.header_hex) << c.name;
    EXPECT_EQ(record.size(), kHeaderBytes + c.parts.metadata.size() + c.parts.value.size());
    const auto decoded = decode_record(key, record);
    ASSERT_TRUE(decoded) << c.name << ": " << decoded.error().to_string();
    EXPECT_EQ(decoded->metadata, c.parts.metadata) << c.name;
    EXPECT_EQ(decoded->value, c.parts.value) << c.name;
    EXPECT_EQ(decoded->header.expiry_ms, c.parts.expiry_ms) << c.name;
    EXPECT_EQ(decoded->header.version, c.parts.version) << c.name;
  }
}

TEST(RecordTest, RefusesEveryTruncation) {
  for (const Case& c : cases()) {
    const std::string key = encode_key(c.prefix, c.key);
    const std::string record = encode_record(key, c.parts);
    for (std::size_t length = 0; length < record.size(); ++length) {
      EXPECT_EQ(decode_record(key, record.substr(0, length)).code(), Code::kCorruption)
          << c.name << " cut to " << length;
    }
  }
}

TEST(RecordTest, RefusesEveryFlippedBitOfRecordAndKey) {
  for (const Case& c : cases()) {
    const std::string key = encode_key(c.prefix, c.key);
    const std::string record = encode_record(key, c.parts);
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
      std::string damaged = record;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_EQ(decode_record(key, damaged).code(), Code::kCorruption) << c.name << " bit " << bit;
    }
    for (std::size_t bit = 0; bit < key.size() * 8; ++bit) {
      std::string other = key;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_EQ(decode_record(other, record).code(), Code::kCorruption) << c.name << " bit " << bit;
    }
  }
}

// What a later release could write: whole, but not ours to read.
TEST(RecordTest, TellsALaterLayoutFromDamage) {
  const std::string key = encode_key(1, "k");
  for (const auto& [offset, byte] : {std::pair<std::size_t, char>{0, 2}, {1, 4}, {1, 8}, {1, 16}}) {
    std::string record = encode_record(key, {0, 7, "", "v"});
    record[offset] = byte;
    std::string zeroed = record;
    for (std::size_t i = 4; i < 8; ++i) zeroed[i] = 0;
    std::string checksum;
    append_le(checksum, extend_crc32c(extend_crc32c(0, key), zeroed));
    record.replace(4, 4, checksum);
    EXPECT_EQ(decode_record(key, record).code(), Code::kUnsupported) << offset << " " << int(byte);
    EXPECT_FALSE(decode_header(record));
  }
}

TEST(RecordTest, DecodesAnyBytesWithoutHarm) {
  const auto seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 80, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (!bytes.empty() && random() % 2 == 0) bytes[0] = 1;
    if (bytes.size() > 1 && random() % 2 == 0) bytes[1] = static_cast<char>(random() % 4);
    const auto header = decode_header(bytes);
    EXPECT_TRUE(!header || header->metadata_bytes + kHeaderBytes <= bytes.size());
    EXPECT_FALSE(decode_record("key", bytes));
  }
}

TEST(RecordTest, KeysSortByNamespaceThenBytesAndPrefixesEndWhereTheyShould) {
  EXPECT_EQ(encode_key(0x01020304, "k"), "\x01\x02\x03\x04k");
  EXPECT_LT(encode_key(1, "\xff"), encode_key(2, ""));
  EXPECT_LT(encode_key(255, "z"), encode_key(256, "a"));
  EXPECT_EQ(successor_of_prefix("ab"), "ac");
  EXPECT_EQ(successor_of_prefix("a\xff\xff"), "b");
  EXPECT_EQ(successor_of_prefix("\xff\xff"), "");
}

TEST(RecordTest, ExpiresFromItsMillisecondOn) {
  EXPECT_FALSE(is_expired(1000, 999));
  EXPECT_TRUE(is_expired(1000, 1000));
  EXPECT_FALSE(is_expired(0, INT64_MAX));
  EXPECT_FALSE(is_expired(1000, -1));
}

}  // namespace
}  // namespace edged::storage
