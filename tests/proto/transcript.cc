// SPDX-License-Identifier: Apache-2.0
// See transcript.h.
#include "tests/proto/transcript.h"

#include <algorithm>

#include "tests/proto/pieces.h"

namespace edged::test {
namespace {

using Event = wire::FrameReader::Event;

std::string header_text(const wire::Header& header) {
  return std::to_string(header.opcode) + " id=" + std::to_string(header.id);
}

}  // namespace

void Transcript::feed(std::string_view piece) {
  reader_.feed(piece);
  buffer_bytes_ = std::max(buffer_bytes_, reader_.buffer_bytes());
  for (;;) {
    switch (reader_.next()) {
      case Event::kNeedMore:
        return;
      case Event::kFrame:
        text_ += text_of(reader_.frame()) + "\n";
        break;
      case Event::kOversized:
        text_ += "read over: " + header_text(reader_.frame().header) + "\n";
        break;
      case Event::kBroken:
        if (!broken_) {
          text_ += "broken: " + header_text(reader_.broken_header()) + ": " +
                   reader_.status().message() + "\n";
        }
        broken_ = true;
        return;
    }
  }
}

std::string Transcript::end() const {
  return text_ + (reader_.in_frame() && !broken_ ? "in a frame" : "between frames");
}

}  // namespace edged::test
