// SPDX-License-Identifier: Apache-2.0
// Tables of literal bytes for frames, fields and messages, each with every truncation, and the
// FrameReader fed in splits of every kind. Random tests print their seed.
#include "proto/wire/frame.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "proto/base/hex.h"
#include "proto/wire/message.h"

namespace edged::wire {
namespace {

std::string bytes(std::string_view hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') {
      digits += c;
    }
  }
  return from_hex(digits).value();
}

// Computed by an independent implementation.
const std::string kGet =
    bytes("b7 01 01 00 07 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 e3 8d 44 7b 61");
const std::string kPutIfAbsent = bytes(
    "b7 03 01 00 08 00 00 00 0f 00 00 00 01 00 00 00 01 00 0c 00 ec 83 31 ee"
    "02 00 08 00 60 ea 00 00 00 00 00 00 61 68 69");
const std::string kReply = bytes(
    "b8 01 01 00 07 00 00 00 1a 00 00 00 00 00 00 00 00 00 18 00 b9 68 10 27"
    "01 00 08 00 60 92 db 76 9b 01 00 00 03 00 08 00 2a 00 00 00 00 00 00 00 68 69");

TEST(MessageTest, EncodesRequestsToTheKnownBytes) {
  Request get;
  get.opcode = Opcode::kGet;
  get.flags = kFlagCrc;
  get.id = 7;
  get.ns = 1;
  get.key = "a";
  std::string out;
  append_request(get, out);
  EXPECT_EQ(to_hex(out), to_hex(kGet));

  Request put = get;
  put.opcode = Opcode::kPutIfAbsent;
  put.id = 8;
  put.fields.ttl_ms = 60'000;
  put.value = "hi";
  out.clear();
  append_request(put, out);
  EXPECT_EQ(to_hex(out), to_hex(kPutIfAbsent));
}

TEST(MessageTest, APlainResponseIsAResponseWithoutFields) {
  for (const std::size_t bytes : {0, 1, 3, 4, 100, 4096, 65'535, 65'536, 1 << 20}) {
    const std::string value(bytes, 'v');
    for (const Code status : {Code::kOk, Code::kNotFound, Code::kBusy}) {
      for (const std::uint16_t flags : std::initializer_list<std::uint16_t>{0, 0x01, 0x31, 0xf1}) {
        SCOPED_TRACE(std::to_string(bytes) + " bytes, flags " + std::to_string(flags));
        Header request;
        request.opcode = static_cast<std::uint8_t>(Opcode::kGet);
        request.flags = flags;
        request.id = 0xfedcba98;
        request.ns = 7;
        request.key_bytes = 5;
        Response response;
        response.opcode = Opcode::kGet;
        response.flags = flags & kFlagCrc;
        response.id = request.id;
        response.status = status;
        response.value = value;
        // Behind what is there already, as in a connection's buffer.
        std::string expected = "before", plain = "before";
        append_response(response, expected);
        append_plain_response(request, status, value, plain);
        ASSERT_TRUE(plain == expected);
      }
    }
  }
}

TEST(MessageTest, EncodesAndDecodesTheKnownResponse) {
  Response reply;
  reply.opcode = Opcode::kGet;
  reply.flags = kFlagCrc;
  reply.id = 7;
  reply.fields.expires_at_ms = 1'767'225'660'000;
  reply.fields.version = 42;
  reply.value = "hi";
  std::string out;
  append_response(reply, out);
  EXPECT_EQ(to_hex(out), to_hex(kReply));

  FrameReader reader(FrameReader::Peer::kServer, kBodyBytesMax);
  reader.feed(kReply);
  ASSERT_EQ(reader.next(), FrameReader::Event::kFrame);
  const Result<Response> decoded = decode_response(reader.frame());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->status, Code::kOk);
  EXPECT_EQ(decoded->fields.version, 42u);
  EXPECT_EQ(decoded->fields.expires_at_ms, 1'767'225'660'000u);
  EXPECT_EQ(decoded->value, "hi");
}

TEST(FrameReaderTest, WaitsAtEveryTruncation) {
  for (const std::string& frame : {kGet, kPutIfAbsent}) {
    for (std::size_t length = 0; length < frame.size(); ++length) {
      FrameReader reader(FrameReader::Peer::kClient, kBodyBytesMax);
      reader.feed(std::string_view(frame).substr(0, length));
      EXPECT_EQ(reader.next(), FrameReader::Event::kNeedMore) << length;
      EXPECT_EQ(reader.in_frame(), length > 0);
      reader.feed(std::string_view(frame).substr(length));
      EXPECT_EQ(reader.next(), FrameReader::Event::kFrame) << length;
      EXPECT_EQ(reader.next(), FrameReader::Event::kNeedMore);
    }
  }
}

TEST(FrameReaderTest, RefusesEveryFlippedBitUnderItsChecksum) {
  for (std::size_t bit = 0; bit < kPutIfAbsent.size() * 8; ++bit) {
    if (bit == 16) {
      continue;  // the flag that says there is a checksum
    }
    std::string damaged = kPutIfAbsent;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader(FrameReader::Peer::kClient, kBodyBytesMax);
    reader.feed(damaged);
    EXPECT_NE(reader.next(), FrameReader::Event::kFrame) << bit;
  }
}

TEST(FrameReaderTest, RefusesMalformedHeaders) {
  struct Case {
    const char* name;
    const char* hex;
  };
  const Case cases[] = {
      {"unknown kind", "00010000 07000000 01000000 01000000 01000000 00000000 61"},
      {"a response from a client", "b8010000 07000000 00000000 00000000 00000000 00000000"},
      {"key longer than body", "b7010000 07000000 01000000 01000000 02000000 00000000 61"},
      {"TLVs longer than body", "b7010000 07000000 01000000 01000000 00000400 00000000 61"},
      {"body beyond every limit", "b7010000 07000000 01000002 01000000 00000000 00000000"},
      {"largest body", "b7010000 07000000 ffffffff 01000000 00000000 00000000"},
  };
  for (const Case& one : cases) {
    FrameReader reader(FrameReader::Peer::kClient, kBodyBytesMax);
    reader.feed(bytes(one.hex));
    EXPECT_EQ(reader.next(), FrameReader::Event::kBroken) << one.name;
    EXPECT_EQ(reader.status().code(), Code::kBadFrame) << one.name;
    reader.feed(kGet);
    EXPECT_EQ(reader.next(), FrameReader::Event::kBroken) << "it must never resynchronise";
  }
}

TEST(FrameReaderTest, ReadsOverABodyAboveItsLimit) {
  Request large;
  large.opcode = Opcode::kPut;
  large.id = 9;
  large.key = "a";
  const std::string value(100'000, 'x');
  large.value = value;
  std::string stream;
  append_request(large, stream);
  stream += kGet;
  FrameReader reader(FrameReader::Peer::kClient, kBodyBytesFloor);
  std::vector<FrameReader::Event> events;
  std::size_t memory = 0;
  for (const char c : stream) {
    reader.feed(std::string_view(&c, 1));
    const FrameReader::Event event = reader.next();
    memory = std::max(memory, reader.buffer_bytes());
    if (event != FrameReader::Event::kNeedMore) {
      events.push_back(event);
    }
  }
  EXPECT_EQ(events, (std::vector{FrameReader::Event::kOversized, FrameReader::Event::kFrame}));
  EXPECT_EQ(reader.frame().key(), "a");
  EXPECT_LT(memory, 10'000u) << "a body that is read over must not be kept";
}

TEST(FrameReaderTest, DoesNotAllocateForAnAnnouncement) {
  FrameReader reader(FrameReader::Peer::kClient, kBodyBytesMax);
  reader.feed(bytes("b7020000 07000000 00001000 01000000 01000000 00000000 61"));
  EXPECT_EQ(reader.next(), FrameReader::Event::kNeedMore);
  EXPECT_LT(reader.buffer_bytes(), 10'000u);
  EXPECT_EQ(reader.frame_bytes_announced(), kHeaderBytes + 0x100000u);
}

TEST(FrameReaderTest, ReadsAnySplitOfAStream) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    std::string stream;
    std::vector<std::string> values;
    for (int i = 0; i < 40; ++i) {
      values.emplace_back(random() % (i % 10 == 0 ? 200'000 : 300),
                          static_cast<char>('a' + i % 26));
      Request request;
      request.opcode = Opcode::kPut;
      request.flags = i % 2 == 0 ? kFlagCrc : std::uint16_t{0};
      request.id = static_cast<std::uint32_t>(i);
      request.key = "key";
      request.value = values.back();
      append_request(request, stream);
    }
    FrameReader reader(FrameReader::Peer::kClient, kBodyBytesMax);
    std::size_t seen = 0;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 70'000, stream.size() - at);
      reader.feed(std::string_view(stream).substr(at, count));
      at += count;
      for (auto event = reader.next(); event != FrameReader::Event::kNeedMore;
           event = reader.next()) {
        ASSERT_EQ(event, FrameReader::Event::kFrame);
        ASSERT_LT(seen, values.size());
        ASSERT_EQ(reader.frame().header.id, seen);
        ASSERT_EQ(reader.frame().value(), values[seen]);
        ++seen;
      }
    }
    ASSERT_EQ(seen, values.size());
    ASSERT_FALSE(reader.in_frame());
  }
}

TEST(FrameReaderTest, PeeksAtTheWholeFramesBehind) {
  FrameReader reader(FrameReader::Peer::kClient, 1000);
  std::array<Frame, 2> ahead;
  EXPECT_EQ(reader.peek(ahead), 0U);
  reader.feed(kGet + kPutIfAbsent + kGet + kGet.substr(0, kGet.size() - 1));
  ASSERT_EQ(reader.peek(ahead), 2U);
  EXPECT_EQ(ahead[0].key(), "a");
  EXPECT_EQ(ahead[1].value(), "hi");
  ASSERT_EQ(reader.next(), FrameReader::Event::kFrame);
  ASSERT_EQ(reader.next(), FrameReader::Event::kFrame);
  ASSERT_EQ(reader.peek(ahead), 1U) << "the last one is not whole";
  EXPECT_EQ(reader.next(), FrameReader::Event::kFrame);
  EXPECT_EQ(reader.peek(ahead), 0U);
  EXPECT_EQ(reader.peek({}), 0U);
}

TEST(FrameReaderTest, DoesNotPeekIntoWhatNextRefuses) {
  std::string lengths = kGet;
  lengths[16] = '\xff';  // a key longer than the body
  for (const std::string& broken : {lengths, std::string(100, '\0'), std::string(100, '\xff')}) {
    FrameReader reader(FrameReader::Peer::kClient, 1000);
    reader.feed(broken);
    std::array<Frame, 2> ahead;
    EXPECT_EQ(reader.peek(ahead), 0U);
    EXPECT_EQ(reader.next(), FrameReader::Event::kBroken);
  }
  FrameReader small(FrameReader::Peer::kClient, 1);
  small.feed(kPutIfAbsent.substr(0, 30));
  std::array<Frame, 2> ahead;
  ASSERT_EQ(small.next(), FrameReader::Event::kOversized);
  EXPECT_EQ(small.peek(ahead), 0U) << "its body is being read over";
}

TEST(FrameReaderTest, SurvivesRandomBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = round % 2 == 0 ? kPutIfAbsent : kGet;
    damaged[2] = 0;  // no checksum: the decoders behind it are to see the damage
    for (int i = 0; i < 3; ++i) {
      damaged[1 + random() % (damaged.size() - 1)] = static_cast<char>(random());
    }
    FrameReader reader(FrameReader::Peer::kClient, kBodyBytesMax);
    reader.feed(damaged);
    if (reader.next() == FrameReader::Event::kFrame) {
      const Result<Request> request = decode_request(reader.frame());
      if (request) {
        EXPECT_LE(request->key.size() + request->value.size(), damaged.size());
      }
    }
  }
}

TEST(HelloTest, RoundTripsAndRefuses) {
  std::string out;
  append_hello({}, out);
  EXPECT_EQ(to_hex(out),
            "4b564231"
            "01010000"
            "00000000"
            "00101000");
  ASSERT_TRUE(decode_hello(out));
  for (std::size_t length = 0; length < out.size(); ++length) {
    EXPECT_EQ(decode_hello(out.substr(0, length)).code(), Code::kBadFrame);
  }
  EXPECT_FALSE(decode_hello(bytes("4b564232 01010000 00000000 00101000"))) << "magic";
  EXPECT_FALSE(decode_hello(bytes("4b564231 02010000 00000000 00101000"))) << "versions reversed";
  EXPECT_FALSE(decode_hello(bytes("4b564231 01010100 00000000 00101000"))) << "reserved";
  EXPECT_FALSE(decode_hello(bytes("4b564231 01010000 00000000 ffff0000"))) << "limit";
  EXPECT_EQ(common_version({.version_min = 1, .version_max = 9}), 1);
  EXPECT_EQ(common_version({.version_min = 2, .version_max = 9}), 0);
}

TEST(FieldsTest, RefusesWhatIsMalformed) {
  struct Case {
    const char* name;
    const char* hex;
    Code code;
  };
  const Case cases[] = {
      {"ttl", "02000800 60ea0000 00000000", Code::kOk},
      {"ttl marked critical", "02010800 60ea0000 00000000", Code::kOk},
      {"padded text", "0b000100 61000000", Code::kOk},
      {"unknown", "f0000000", Code::kOk},
      {"unknown and critical", "f0010000", Code::kUnsupported},
      {"max_staleness, critical", "10010800 01000000 00000000", Code::kOk},
      {"written_at, reserved", "12000800 01000000 00000000", Code::kOk},
      {"written_at, critical", "12010800 01000000 00000000", Code::kUnsupported},
      {"short integer", "02000400 60ea0000", Code::kBadFrame},
      {"repeated", "06000400 01000000 06000400 01000000", Code::kBadFrame},
      {"cut short", "02000800 60ea0000", Code::kBadFrame},
      {"header cut short", "02000800 60ea0000 00000000 02", Code::kBadFrame},
      {"padding not zero", "0b000100 61010000", Code::kBadFrame},
      {"reserved flag", "02020800 60ea0000 00000000", Code::kBadFrame},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(decode_fields(bytes(one.hex)).code(), one.code) << one.name;
  }
  EXPECT_EQ(decode_fields(std::string(kExtBytesMax + 4, '\0')).code(), Code::kBadFrame);
}

TEST(ItemReaderTest, ReadsItemsAndStopsAtEveryTruncation) {
  Item item;
  item.opcode = Opcode::kPutIfVersion;
  item.fields.if_version = 5;
  item.fields.metadata = "{}";
  item.key = "key";
  item.value = "value";
  std::string encoded;
  append_item(item, encoded);
  EXPECT_EQ(encoded.size(), item_bytes(item));
  ItemReader whole(encoded);
  Item read;
  ASSERT_TRUE(whole.next(read));
  EXPECT_EQ(read.opcode, item.opcode);
  EXPECT_EQ(read.fields.if_version, 5u);
  EXPECT_EQ(read.fields.metadata, "{}");
  EXPECT_EQ(read.key, "key");
  EXPECT_EQ(read.value, "value");
  EXPECT_FALSE(whole.next(read));
  EXPECT_TRUE(whole.status().ok());
  for (std::size_t length = 1; length < encoded.size(); ++length) {
    ItemReader cut(std::string_view(encoded).substr(0, length));
    EXPECT_FALSE(cut.next(read)) << length;
    EXPECT_EQ(cut.status().code(), Code::kBadFrame) << length;
  }
}

}  // namespace
}  // namespace edged::wire
