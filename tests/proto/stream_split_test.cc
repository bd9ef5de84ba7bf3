// SPDX-License-Identifier: Apache-2.0
// One stream of frames, cut into pieces in every way that matters: the FrameReader must see the
// same frames, the same refusal and the same end however the bytes arrived.
#include <gtest/gtest.h>

#include <random>

#include "proto/wire/frame.h"
#include "tests/proto/message_table.h"
#include "tests/proto/transcript.h"

namespace edged::test {
namespace {

using wire::FrameReader;

// A limit below a frame of the stream, so that a body is read over too.
constexpr std::uint32_t kLimit = 200;

std::string large_request() {
  const std::string value(300, 'x');
  wire::Request request;
  request.opcode = wire::Opcode::kPut;
  request.id = 77;
  request.key = "large";
  request.value = value;
  std::string frame;
  wire::append_request(request, frame);
  return frame;
}

struct Stream {
  std::string name;
  FrameReader::Peer peer;
  std::string bytes;
};

// All requests with a large one between, once for every way of being broken at the end; and all
// responses.
std::vector<Stream> streams() {
  std::string requests;
  for (const ByteCase& one : request_cases()) {
    requests += joined(one.bytes);
    if (&one == &request_cases()[2]) requests += large_request();
  }
  std::vector<Stream> all{{"whole", FrameReader::Peer::kClient, requests}};
  for (const BrokenCase& one : broken_cases()) {
    all.push_back({one.name, FrameReader::Peer::kClient, requests + joined(one.bytes) + requests});
  }
  std::string responses;
  for (const ByteCase& one : response_cases()) responses += joined(one.bytes);
  all.push_back({"responses", FrameReader::Peer::kServer, responses});
  all.push_back({"a request from a server", FrameReader::Peer::kServer, responses + requests});
  return all;
}

std::string read_whole(const Stream& stream) {
  Transcript transcript(stream.peer, kLimit);
  transcript.feed(stream.bytes);
  return transcript.end();
}

TEST(StreamSplitTest, ReadsWhatTheTableSays) {
  const std::vector<Stream> all = streams();
  std::string expected;
  for (const ByteCase& one : request_cases()) {
    expected += std::string(one.meaning) + "\n";
    if (&one == &request_cases()[2]) expected += "read over: 2 id=77\n";
  }
  EXPECT_EQ(read_whole(all[0]), expected + "between frames");
  for (std::size_t i = 0; i < broken_cases().size(); ++i) {
    const std::string text = read_whole(all[i + 1]);
    EXPECT_TRUE(text.starts_with(expected + "broken: ")) << all[i + 1].name << ": " << text;
    EXPECT_NE(text.find(" id=" + std::to_string(broken_cases()[i].id) + ": "), std::string::npos)
        << all[i + 1].name << ": " << text;
  }
}

TEST(StreamSplitTest, TwoPiecesAreReadAsOne) {
  for (const Stream& stream : streams()) {
    const std::string whole = read_whole(stream);
    for (std::size_t at = 0; at <= stream.bytes.size(); ++at) {
      Transcript transcript(stream.peer, kLimit);
      transcript.feed(std::string_view(stream.bytes).substr(0, at));
      transcript.feed(std::string_view(stream.bytes).substr(at));
      ASSERT_EQ(transcript.end(), whole) << stream.name << ", split at " << at;
    }
  }
}

TEST(StreamSplitTest, SingleBytesAreReadAsOne) {
  for (const Stream& stream : streams()) {
    Transcript transcript(stream.peer, kLimit);
    for (const char byte : stream.bytes) transcript.feed(std::string_view(&byte, 1));
    EXPECT_EQ(transcript.end(), read_whole(stream)) << stream.name;
  }
}

TEST(StreamSplitTest, RandomPiecesAreReadAsOne) {
  constexpr std::uint64_t kSeed = 20261125;
  std::mt19937_64 random(kSeed);
  for (const Stream& stream : streams()) {
    const std::string whole = read_whole(stream);
    for (int round = 0; round < 300; ++round) {
      const std::size_t longest = 1 + random() % 200;
      Transcript transcript(stream.peer, kLimit);
      for (std::size_t at = 0; at < stream.bytes.size();) {
        const std::size_t count = 1 + random() % longest;
        transcript.feed(std::string_view(stream.bytes).substr(at, count));
        at += count;
      }
      ASSERT_EQ(transcript.end(), whole) << stream.name << ", round " << round;
    }
  }
}

}  // namespace
}  // namespace edged::test
