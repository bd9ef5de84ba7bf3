// SPDX-License-Identifier: Apache-2.0
// What a FrameReader says of a stream, as text: the same however the stream was cut into pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/wire/frame.h"

namespace edged::test {

class Transcript {
 public:
  Transcript(wire::FrameReader::Peer peer, std::uint32_t body_bytes_max)
      : reader_(peer, body_bytes_max) {}

  void feed(std::string_view piece);
  // A line for each frame, and how the stream ended.
  std::string end() const;
  // The most the reader has kept so far.
  std::size_t buffer_bytes() const { return buffer_bytes_; }

 private:
  wire::FrameReader reader_;
  std::string text_;
  std::size_t buffer_bytes_ = 0;
  bool broken_ = false;
};

}  // namespace edged::test
