// SPDX-License-Identifier: Apache-2.0
// What proto/wire makes of the tables of message_table.h: whole, cut at every length, with every
// length announced, and split at every place.
#include "tests/proto/message_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "proto/wire/frame.h"

namespace edged::test {
namespace {

using wire::FrameReader;
using Event = FrameReader::Event;
using Peer = FrameReader::Peer;

constexpr std::size_t kBodyBytesAt = 8;

struct FrameCase {
  const ByteCase& one;
  Peer peer;
};

std::vector<FrameCase> frame_cases() {
  std::vector<FrameCase> cases;
  for (const ByteCase& one : request_cases()) cases.push_back({one, Peer::kClient});
  for (const ByteCase& one : response_cases()) cases.push_back({one, Peer::kServer});
  return cases;
}

// The codes a decoder may give, so that a meaning can be told from one.
bool is_code(std::string_view meaning) {
  return meaning.ends_with("bad_frame") || meaning.ends_with("unsupported");
}

TEST(MessageTableTest, FramesMeanWhatTheTableSays) {
  for (const auto& [one, peer] : frame_cases()) {
    FrameReader reader(peer, wire::kBodyBytesMax);
    reader.feed(joined(one.bytes));
    ASSERT_EQ(reader.next(), Event::kFrame) << one.name;
    EXPECT_EQ(text_of(reader.frame()), one.meaning) << one.name;
    EXPECT_EQ(reader.next(), Event::kNeedMore) << one.name;
    EXPECT_FALSE(reader.in_frame()) << one.name;
  }
}

TEST(MessageTableTest, EveryTruncationOfAFrameIsWaitedFor) {
  for (const auto& [one, peer] : frame_cases()) {
    const std::string frame = joined(one.bytes);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      SCOPED_TRACE(std::string(one.name) + ", cut " + place(one.bytes, length));
      FrameReader reader(peer, wire::kBodyBytesMax);
      reader.feed(std::string_view(frame).substr(0, length));
      ASSERT_EQ(reader.next(), Event::kNeedMore);
      ASSERT_EQ(reader.in_frame(), length > 0);
      ASSERT_GE(reader.frame_bytes_announced(), length);
      reader.feed(std::string_view(frame).substr(length));
      ASSERT_EQ(reader.next(), Event::kFrame);
      ASSERT_EQ(text_of(reader.frame()), one.meaning);
    }
  }
}

// A body cut short with a header that says so: the value may be shorter, key and TLVs may not.
TEST(MessageTableTest, EveryShorterBodyIsAShorterValueOrRefused) {
  for (const auto& [one, peer] : frame_cases()) {
    std::string whole = joined(one.bytes);
    whole[2] = static_cast<char>(whole[2] & ~wire::kFlagCrc);
    FrameReader wholly(peer, wire::kBodyBytesMax);
    wholly.feed(whole);
    ASSERT_EQ(wholly.next(), Event::kFrame) << one.name;
    const wire::Header header = wholly.frame().header;
    const std::size_t key_bytes = peer == Peer::kClient ? header.key_bytes : 0;
    for (std::size_t body = 0; body < header.body_bytes; ++body) {
      SCOPED_TRACE(std::string(one.name) + ", body of " + std::to_string(body));
      std::string frame = whole.substr(0, wire::kHeaderBytes + body);
      frame[kBodyBytesAt] = static_cast<char>(body);
      FrameReader reader(peer, wire::kBodyBytesMax);
      reader.feed(frame);
      if (body < header.ext_bytes + key_bytes) {
        ASSERT_EQ(reader.next(), Event::kBroken);
        ASSERT_EQ(reader.status().code(), Code::kBadFrame);
        continue;
      }
      ASSERT_EQ(reader.next(), Event::kFrame);
      ASSERT_EQ(reader.frame().ext(), wholly.frame().ext());
      ASSERT_EQ(reader.frame().value(),
                wholly.frame().value().substr(0, body - header.ext_bytes - key_bytes));
    }
  }
}

TEST(MessageTableTest, FieldsMeanWhatTheTableSays) {
  for (const ByteCase& one : field_cases()) {
    const std::string area = joined(one.bytes);
    const auto fields = wire::decode_fields(area);
    const std::string meaning = fields ? text_of(*fields) : std::string(code_name(fields.code()));
    EXPECT_EQ(meaning, one.meaning) << one.name;
  }
}

// Where a TLV ends: there a cut leaves a whole, shorter area.
std::vector<std::size_t> tlv_ends(const std::string& area) {
  std::vector<std::size_t> ends{0};
  while (ends.back() + 4 <= area.size()) {
    const auto low = static_cast<unsigned char>(area[ends.back() + 2]);
    const auto high = static_cast<unsigned char>(area[ends.back() + 3]);
    ends.push_back(ends.back() + 4 + (low + 256U * high + 3) / 4 * 4);
  }
  return ends;
}

TEST(MessageTableTest, EveryTruncationOfFieldsIsRefusedExceptBetweenTwo) {
  for (const ByteCase& one : field_cases()) {
    if (is_code(one.meaning)) continue;
    const std::string area = joined(one.bytes);
    const std::vector<std::size_t> ends = tlv_ends(area);
    for (std::size_t length = 0; length < area.size(); ++length) {
      const Code code = wire::decode_fields(std::string_view(area).substr(0, length)).code();
      const bool between = std::find(ends.begin(), ends.end(), length) != ends.end();
      EXPECT_EQ(code, between ? Code::kOk : Code::kBadFrame)
          << one.name << ", cut " << place(one.bytes, length);
    }
  }
}

TEST(MessageTableTest, DecodedFieldsEncodeToTheSameMeaning) {
  for (const ByteCase& one : field_cases()) {
    const std::string area = joined(one.bytes);
    const auto fields = wire::decode_fields(area);
    if (!fields) continue;
    std::string again;
    EXPECT_EQ(wire::append_fields(*fields, again), wire::fields_bytes(*fields)) << one.name;
    const auto decoded = wire::decode_fields(again);
    EXPECT_EQ(decoded ? text_of(*decoded) : "refused", one.meaning) << one.name;
  }
}

TEST(MessageTableTest, ItemsMeanWhatTheTableSays) {
  for (const ByteCase& one : item_cases()) {
    EXPECT_EQ(text_of_items(joined(one.bytes)), one.meaning) << one.name;
  }
}

// What was whole before the cut is read; what was cut is refused, unless the cut is between two.
TEST(MessageTableTest, EveryTruncationOfItemsReadsThoseBeforeIt) {
  for (const ByteCase& one : item_cases()) {
    if (is_code(one.meaning)) continue;
    const std::string value = joined(one.bytes);
    std::vector<std::size_t> ends{0};
    wire::ItemReader whole(value);
    for (wire::Item item; whole.next(item);) ends.push_back(ends.back() + wire::item_bytes(item));
    ASSERT_EQ(ends.back(), value.size()) << one.name;
    for (std::size_t length = 0; length < value.size(); ++length) {
      SCOPED_TRACE(std::string(one.name) + ", cut " + place(one.bytes, length));
      wire::ItemReader reader(std::string_view(value).substr(0, length));
      std::size_t count = 0;
      for (wire::Item item; reader.next(item);) ++count;
      const auto after = std::upper_bound(ends.begin(), ends.end(), length);
      ASSERT_EQ(count, static_cast<std::size_t>(after - ends.begin()) - 1);
      ASSERT_EQ(reader.status().code(), *(after - 1) == length ? Code::kOk : Code::kBadFrame);
    }
  }
}

TEST(MessageTableTest, HellosAreTakenOrRefusedAndNeverShorter) {
  for (const ByteCase& one : hello_cases()) {
    const std::string hello = joined(one.bytes);
    EXPECT_EQ(code_name(wire::decode_hello(hello).code()), one.meaning) << one.name;
    if (one.meaning != std::string_view("ok")) continue;
    for (std::size_t length = 0; length < hello.size(); ++length) {
      EXPECT_EQ(wire::decode_hello(hello.substr(0, length)).code(), Code::kBadFrame)
          << one.name << ", cut " << place(one.bytes, length);
    }
  }
}

TEST(MessageTableTest, BrokenStreamsAreRefusedAsSoonAsTheyAreKnown) {
  for (const BrokenCase& one : broken_cases()) {
    const std::string stream = joined(one.bytes);
    for (std::size_t length = 0; length <= stream.size(); ++length) {
      SCOPED_TRACE(std::string(one.name) + ", cut " + place(one.bytes, length));
      FrameReader reader(Peer::kClient, wire::kBodyBytesMax);
      reader.feed(std::string_view(stream).substr(0, length));
      ASSERT_EQ(reader.next(), length < one.refused_at ? Event::kNeedMore : Event::kBroken);
      ASSERT_EQ(reader.status().ok(), length < one.refused_at);
      if (length >= one.refused_at) {
        ASSERT_EQ(reader.broken_header().id, one.id);
      }
    }
  }
}

}  // namespace
}  // namespace edged::test
