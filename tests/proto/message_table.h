// SPDX-License-Identifier: Apache-2.0
// Tables of hellos, frames, TLVs and items as bytes with names, and what each means. The tests of
// proto/wire go through them with every truncation and split; the fuzzers start from them.
#pragma once

#include <vector>

#include "tests/proto/pieces.h"

namespace edged::test {

struct ByteCase {
  const char* name;
  Pieces bytes;
  const char* meaning;  // as pieces.h writes it, or the name of a code
};

// Whole frames, of requests, and of responses and pushes.
const std::vector<ByteCase>& request_cases();
const std::vector<ByteCase>& response_cases();
// TLV areas, and values made of items.
const std::vector<ByteCase>& field_cases();
const std::vector<ByteCase>& item_cases();
// Hellos; the meaning is "ok" or a code.
const std::vector<ByteCase>& hello_cases();

// Streams of a client that must be refused: after `refused_at` bytes and not before.
struct BrokenCase {
  const char* name;
  Pieces bytes;
  std::size_t refused_at;
  std::uint32_t id;  // what the refusal carries
};
const std::vector<BrokenCase>& broken_cases();

}  // namespace edged::test
