// SPDX-License-Identifier: Apache-2.0
// proto/wire: whatever decodes must encode to something that decodes to the same.
#include <random>

#include "proto/base/check.h"
#include "proto/wire/message.h"
#include "tests/fuzz/targets.h"
#include "tests/proto/pieces.h"
#include "tests/proto/transcript.h"

namespace edged::fuzz {
namespace {

using test::text_of;
using test::Transcript;
using wire::FrameReader;

// What a reader keeps of a stream that is read as it comes: its buffer doubles, and starts at 4
// KiB.
std::size_t memory_allowed(std::size_t fed) {
  return 2 * fed + 16 * 1024;
}

// The first frame of `bytes`, if they begin with one.
template <typename Use>
void with_frame(FrameReader::Peer peer, std::string_view bytes, Use use) {
  FrameReader reader(peer, wire::kBodyBytesMax);
  reader.feed(bytes);
  KV_CHECK(reader.buffer_bytes() <= memory_allowed(bytes.size()));
  if (reader.next() == FrameReader::Event::kFrame) use(reader.frame());
}

std::string meaning_of(FrameReader::Peer peer, std::string_view bytes) {
  std::string text = "no frame";
  with_frame(peer, bytes, [&text](const wire::Frame& frame) { text = text_of(frame); });
  return text;
}

}  // namespace

void fuzz_hello(std::string_view bytes) {
  const auto hello = wire::decode_hello(bytes);
  if (!hello) return;
  std::string again;
  wire::append_hello(*hello, again);
  KV_CHECK(again == bytes);
  const bool speaks = hello->version_min <= 1 && hello->version_max >= 1;
  KV_CHECK(wire::common_version(*hello) == (speaks ? 1 : 0));
}

void fuzz_stream(std::string_view bytes) {
  if (bytes.size() < 4) return;
  const auto byte = [bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const auto peer = byte(0) % 2 == 0 ? FrameReader::Peer::kClient : FrameReader::Peer::kServer;
  std::mt19937 random(byte(1) * 256U + byte(2));
  const std::size_t longest = 1U + byte(3);
  const std::string_view stream = bytes.substr(4);
  constexpr std::uint32_t kLimit = 1000;  // so that some bodies are read over
  Transcript whole(peer, kLimit);
  whole.feed(stream);
  Transcript pieces(peer, kLimit);
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t count = 1 + random() % longest;
    pieces.feed(stream.substr(at, count));
    at += count;
  }
  KV_CHECK(whole.end() == pieces.end());
  KV_CHECK(pieces.buffer_bytes() <= memory_allowed(kLimit));
}

void fuzz_fields(std::string_view bytes) {
  const auto fields = wire::decode_fields(bytes);
  if (!fields) return;
  std::string again;
  KV_CHECK(wire::append_fields(*fields, again) == again.size());
  KV_CHECK(wire::fields_bytes(*fields) == again.size());
  KV_CHECK(again.size() <= bytes.size());  // those that are unknown are gone
  const auto decoded = wire::decode_fields(again);
  KV_CHECK(decoded && text_of(*decoded) == text_of(*fields));
}

void fuzz_request(std::string_view bytes) {
  with_frame(FrameReader::Peer::kClient, bytes, [](const wire::Frame& frame) {
    KV_CHECK(frame.ext().size() + frame.key().size() + frame.value().size() == frame.body.size());
    const auto request = wire::decode_request(frame);
    if (!request || request->key.size() > wire::kKeyBytesMax) return;
    std::string again;
    wire::append_request(*request, again);
    KV_CHECK(meaning_of(FrameReader::Peer::kClient, again) == text_of(*request));
  });
}

void fuzz_response(std::string_view bytes) {
  with_frame(FrameReader::Peer::kServer, bytes, [](const wire::Frame& frame) {
    const auto response = wire::decode_response(frame);
    if (!response) return;
    std::string again;
    const bool push = frame.header.kind == wire::Kind::kPush;
    push ? wire::append_push(*response, again) : wire::append_response(*response, again);
    KV_CHECK(meaning_of(FrameReader::Peer::kServer, again) == text_of(frame));
  });
}

void fuzz_items(std::string_view bytes) {
  wire::ItemReader reader(bytes);
  std::string again, meaning;
  bool encodable = true;
  for (wire::Item item; reader.next(item);) {
    encodable = encodable && item.key.size() <= wire::kKeyBytesMax;
    if (!encodable) continue;
    const std::size_t before = again.size();
    wire::append_item(item, again);
    KV_CHECK(again.size() - before == wire::item_bytes(item));
    meaning += (meaning.empty() ? "" : "; ") + text_of(item);
  }
  if (encodable) KV_CHECK(test::text_of_items(again) == meaning);
}

}  // namespace edged::fuzz
