// SPDX-License-Identifier: Apache-2.0
// From opcodes to the operations whose access rules stand in kvstore/operations/access_rules.h. An
// opcode that is not in the table is refused to every token. Pure; any thread.
#pragma once

#include "kvstore/operations/access_rules.h"
#include "proto/wire/message.h"

namespace edged::server {

using operations::AccessRule;
using operations::missing_scopes;
using operations::Reach;

// Null if there is no rule.
const AccessRule* access_rule(wire::Opcode opcode);

// What the request's flags need besides: WITH_VALUES shows values (read), LEASE keeps others from
// filling a key (write).
access::Scopes scopes_of_flags(wire::Opcode opcode, std::uint16_t flags);

}  // namespace edged::server
