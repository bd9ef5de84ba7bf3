// SPDX-License-Identifier: Apache-2.0
// From one item of a request, or a request that is one, to the store's operation. Pure functions;
// any thread.
#pragma once

#include "kvstore/storage/store.h"
#include "proto/base/status.h"
#include "proto/wire/message.h"

namespace edged::server {

bool is_put(wire::Opcode opcode);     // the four PUTs and LEASE_PUT
bool is_delete(wire::Opcode opcode);  // the two DELETEs and INVALIDATE
bool is_check(wire::Opcode opcode);
// Every opcode that changes entries, requests for several keys included.
bool is_write(wire::Opcode opcode);

// `ns` is the request's; an item may name its own. Its shape was checked: see
// wire::check_item_shape().
// Errors: kInvalidArgument, kTooLarge: a field is out of range.
Result<storage::Operation> to_operation(storage::NamespaceNumber ns, const wire::Item& item);

}  // namespace edged::server
