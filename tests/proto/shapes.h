// SPDX-License-Identifier: Apache-2.0
// Every TLV and flag there is, for tests that try them all, and the rows of the table of operations
// as docs/protocol.md shows them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/wire/operation_table.h"

namespace edged::test {

// Those that this version implements.
std::vector<wire::Tlv> all_tlvs();
std::vector<std::uint16_t> all_flags();

// Sets the TLV to some value that is within its bounds.
void set_field(wire::Tlv tlv, wire::Fields& fields);

// "| 02 | PUT | …", a line of the table.
std::string row_of(const wire::OperationShape& shape);

}  // namespace edged::test
