// SPDX-License-Identifier: Apache-2.0
// Hello, header and FrameReader. See frame.h.
#include "proto/wire/frame.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "proto/base/check.h"
#include "proto/base/crc32c.h"
#include "proto/wire/codec.h"

namespace edged::wire {
namespace {

constexpr std::string_view kMagic = "KVB1";
constexpr std::size_t kBodyBytesAt = 8, kExtBytesAt = 18, kCrcAt = 20;
constexpr std::size_t kFirstBufferBytes = 4096, kFreeBytesMin = 1024,
                      kKeptBufferBytesMax = 64 * 1024;

bool receives(FrameReader::Peer from, Kind kind) {
  return from == FrameReader::Peer::kClient ? kind == Kind::kRequest
                                            : kind == Kind::kResponse || kind == Kind::kPush;
}

// The loops of codec.h cost more than all else that is done with a header.
std::uint16_t u16_at(const char* bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes);
  return static_cast<std::uint16_t>(at[0] | at[1] << 8);
}
std::uint32_t u32_at(const char* bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes);
  return at[0] | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16 |
         std::uint32_t{at[3]} << 24;
}
void put_u16(char* at, std::uint16_t value) {
  at[0] = static_cast<char>(value);
  at[1] = static_cast<char>(value >> 8);
}
void put_u32(char* at, std::uint32_t value) {
  at[0] = static_cast<char>(value);
  at[1] = static_cast<char>(value >> 8);
  at[2] = static_cast<char>(value >> 16);
  at[3] = static_cast<char>(value >> 24);
}

// `at` are kHeaderBytes.
Header header_at(const char* at) {
  Header header;
  header.kind = static_cast<Kind>(at[0]);
  header.opcode = static_cast<std::uint8_t>(at[1]);
  header.flags = u16_at(at + 2);
  header.id = u32_at(at + 4);
  header.body_bytes = u32_at(at + kBodyBytesAt);
  header.ns = u32_at(at + 12);
  header.key_bytes = u16_at(at + 16);
  header.ext_bytes = u16_at(at + kExtBytesAt);
  header.crc = u32_at(at + kCrcAt);
  return header;
}

// The checksum covers the header without its last four bytes, and the body.
std::uint32_t frame_crc(std::string_view header, std::string_view body) {
  return extend_crc32c(extend_crc32c(0, header.substr(0, kCrcAt)), body);
}

}  // namespace

void append_hello(const Hello& hello, std::string& out) {
  out.append(kMagic);
  append_u8(out, hello.version_min);
  append_u8(out, hello.version_max);
  append_u16(out, 0);
  append_u32(out, hello.features);
  append_u32(out, hello.body_bytes_max);
}

Result<Hello> decode_hello(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::string_view magic = reader.bytes(kMagic.size());
  Hello hello;
  hello.version_min = reader.u8();
  hello.version_max = reader.u8();
  const std::uint16_t reserved = reader.u16();
  hello.features = reader.u32();
  hello.body_bytes_max = reader.u32();
  if (reader.failed() || reader.remaining() != 0 || magic != kMagic) {
    return Status(Code::kBadFrame,
                  "could not read hello: it is not 16 bytes that begin with \"KVB1\"");
  }
  if (reserved != 0 || hello.version_min > hello.version_max) {
    return Status(Code::kBadFrame, "could not read hello: reserved bytes set or versions reversed");
  }
  if (hello.body_bytes_max < kBodyBytesFloor) {
    return Status(Code::kBadFrame, "could not read hello: the frame limit is below 65536 bytes");
  }
  return hello;
}

std::uint8_t common_version(const Hello& client) {
  const bool spoken =
      client.version_min <= kProtocolVersion && client.version_max >= kProtocolVersion;
  return spoken ? kProtocolVersion : std::uint8_t{0};
}

Result<Header> decode_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) {
    return Status(Code::kBadFrame, "could not read frame: its header is cut short");
  }
  const Header header = header_at(bytes.data());
  if (header.kind != Kind::kRequest && header.kind != Kind::kResponse &&
      header.kind != Kind::kPush) {
    return Status(Code::kBadFrame, "could not read frame: its first byte is not a frame kind");
  }
  return header;
}

std::size_t begin_frame(const Header& header, std::string& out) {
  const std::size_t start = out.size();
  char bytes[kHeaderBytes];
  bytes[0] = static_cast<char>(header.kind);
  bytes[1] = static_cast<char>(header.opcode);
  put_u16(bytes + 2, header.flags);
  put_u32(bytes + 4, header.id);
  put_u32(bytes + kBodyBytesAt, 0);
  put_u32(bytes + 12, header.ns);
  put_u16(bytes + 16, header.key_bytes);
  put_u16(bytes + kExtBytesAt, header.ext_bytes);
  put_u32(bytes + kCrcAt, 0);
  out.append(bytes, kHeaderBytes);
  return start;
}

void finish_frame(std::size_t start, std::uint16_t ext_bytes, std::string& out) {
  KV_CHECK(out.size() >= start + kHeaderBytes);
  const std::size_t body_bytes = out.size() - start - kHeaderBytes;
  KV_CHECK(body_bytes <= UINT32_MAX && ext_bytes <= body_bytes);
  put_u32(&out[start + kBodyBytesAt], static_cast<std::uint32_t>(body_bytes));
  put_u16(&out[start + kExtBytesAt], ext_bytes);
  const bool checked = (static_cast<unsigned char>(out[start + 2]) & kFlagCrc) != 0;
  if (checked) {
    const std::string_view frame = std::string_view(out).substr(start);
    patch_u32(
        out, start + kCrcAt, frame_crc(frame.substr(0, kHeaderBytes), frame.substr(kHeaderBytes)));
  }
}

std::span<char> FrameReader::prepare() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (buffer_.size() > kKeptBufferBytesMax) {
      std::vector<char>().swap(
          buffer_);  // one large frame must not keep its memory for the life of the connection
    }
  } else if (begin_ > 0 && buffer_.size() - end_ < kFreeBytesMin) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < kFreeBytesMin) {
    buffer_.resize(std::max(kFirstBufferBytes, buffer_.size() * 2));
  }
  return std::span(buffer_).subspan(end_);
}

void FrameReader::commit(std::size_t count) {
  KV_CHECK(count <= buffer_.size() - end_);
  end_ += count;
}

void FrameReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> space = prepare();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    commit(count);
    bytes.remove_prefix(count);
  }
}

std::uint64_t FrameReader::frame_bytes_announced() const {
  if (skip_ > 0) {
    return skip_;
  }
  if (end_ - begin_ < kHeaderBytes) {
    return kHeaderBytes;
  }
  ByteReader reader(std::string_view(buffer_.data() + begin_ + kBodyBytesAt, 4));
  return kHeaderBytes + std::uint64_t{reader.u32()};
}

FrameReader::Event FrameReader::cut(std::string_view unread, Frame& frame, Status& why) const {
  frame = Frame{};  // whatever is refused below, it is not the frame before
  const auto broken = [&why](std::string message) {
    why = Status(Code::kBadFrame, "could not read frame: " + std::move(message));
    return Event::kBroken;
  };
  // Garbage is refused at its first byte, not after a whole header of it.
  if (!receives(peer_, static_cast<Kind>(unread[0]))) {
    return broken("its first byte is not of a kind this side receives");
  }
  if (unread.size() < kHeaderBytes) {
    return Event::kNeedMore;
  }
  Header& header = frame.header;
  header = header_at(unread.data());
  const std::uint32_t key_bytes = header.kind == Kind::kRequest ? header.key_bytes : 0;
  if (header.ext_bytes + key_bytes > header.body_bytes) {
    return broken("its key and TLVs are longer than its body");
  }
  if (header.body_bytes > kSkippedBodyBytesMax) {
    return broken("its body of " + std::to_string(header.body_bytes) +
                  " bytes is beyond every limit");
  }
  if (header.body_bytes > body_bytes_max_) {
    return Event::kOversized;
  }
  if (unread.size() - kHeaderBytes < header.body_bytes) {
    return Event::kNeedMore;
  }
  frame.body = unread.substr(kHeaderBytes, header.body_bytes);
  return Event::kFrame;
}

std::size_t FrameReader::peek(std::span<Frame> frames) const {
  std::size_t count = 0;
  std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  Status ignored;
  while (skip_ == 0 && status_.ok() && count < frames.size() && !unread.empty() &&
         cut(unread, frames[count], ignored) == Event::kFrame) {
    unread.remove_prefix(kHeaderBytes + frames[count].body.size());
    ++count;
  }
  return count;
}

FrameReader::Event FrameReader::take(const Frame& peeked) {
  frame_ = peeked;
  const std::string_view header(buffer_.data() + begin_, kHeaderBytes);
  KV_CHECK(peeked.body.data() == header.data() + kHeaderBytes);
  if ((peeked.header.flags & kFlagCrc) != 0 &&
      frame_crc(header, peeked.body) != peeked.header.crc) {
    status_ = Status(Code::kBadFrame, "could not read frame: its checksum does not match");
    return Event::kBroken;
  }
  begin_ += kHeaderBytes + peeked.body.size();
  return Event::kFrame;
}

FrameReader::Event FrameReader::next() {
  if (!status_.ok()) {
    return Event::kBroken;
  }
  const std::size_t skipped = std::min<std::uint64_t>(skip_, end_ - begin_);
  skip_ -= skipped;
  begin_ += skipped;
  const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
  if (skip_ > 0 || unread.empty()) {
    return Event::kNeedMore;
  }
  Frame frame;
  const Event event = cut(unread, frame, status_);
  if (event == Event::kFrame) {
    return take(frame);
  }
  frame_ = frame;
  if (event == Event::kOversized) {
    begin_ += kHeaderBytes;
    skip_ = frame.header.body_bytes;
  }
  return event;
}

}  // namespace edged::wire
