// SPDX-License-Identifier: Apache-2.0
// Bytes of a test case, written piece by piece with a name each, and decoded messages as text, so
// that a table can say what its bytes mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/wire/message.h"

namespace edged::test {

// `bytes` are pairs of hexadecimal digits and 'text', separated by spaces: "07 00 'abc' 00".
struct Piece {
  const char* name;
  std::string_view bytes;
};
using Pieces = std::vector<Piece>;

std::string joined(const Pieces& pieces);
// "3 bytes into \"key\"": where an offset of joined(pieces) lies.
std::string place(const Pieces& pieces, std::size_t offset);

// The fields that are present, in the order of their numbers: "ttl=60000 title=\"default\"".
std::string text_of(const wire::Fields& fields);
// "put flags=0001 id=8 ns=1 ttl=60000 key=\"a\" value=\"hi\"": what is 0 or empty is left out.
std::string text_of(const wire::Request& request);
std::string text_of(const wire::Response& response);
std::string text_of(const wire::Item& item);
// The decoded frame, whatever its kind, or the code's name: "bad_frame".
std::string text_of(const wire::Frame& frame);
// Every item of a value, "; " between them, and the code's name behind them unless it ended well.
std::string text_of_items(std::string_view value);

}  // namespace edged::test
