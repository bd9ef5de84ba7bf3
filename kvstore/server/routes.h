// SPDX-License-Identifier: Apache-2.0
// The table of operations this node implements: where each is answered, and what is refused or left
// unsaid whatever the operation does. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/status.h"
#include "proto/wire/message.h"

namespace edged::server {

// At once; in memory if that knows enough and else by the storage pool; by the pool; by the pass of
// its reactor (pass.h); by the connection itself.
enum class Route : std::uint8_t { kAtOnce, kMemory, kPool, kWriter, kConnection };

struct KnownOperation {
  wire::Opcode opcode;
  Route route;
};

std::span<const KnownOperation> known_operations();
// Its index in known_operations(), their number if it is not known.
std::size_t place_of(wire::Opcode opcode);
// Of a known operation.
Route route_of(wire::Opcode opcode);

// Whether the request has what docs/protocol.md demands of its operation and nothing else.
// Errors: those of wire::check_shape(); kInvalidArgument (fields about mirrors where they have no
// place).
Status check_request(const wire::Request& request);

// What a client that set QUIET expects anyway: a write that succeeded, a key that is not there.
bool goes_without_saying(wire::Opcode opcode, Code status);

}  // namespace edged::server
