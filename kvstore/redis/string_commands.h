// SPDX-License-Identifier: Apache-2.0
// The commands on strings, over an overlay (command_context.h). One thread.
#pragma once

#include "kvstore/redis/command_context.h"

namespace edged::redis {

void run_get(CommandContext& call);
void run_set(CommandContext& call);
void run_setnx(CommandContext& call);
void run_setex(CommandContext& call);  // and PSETEX
void run_getset(CommandContext& call);
void run_getdel(CommandContext& call);
void run_getex(CommandContext& call);
void run_mget(CommandContext& call);
void run_mset(CommandContext& call);
void run_msetnx(CommandContext& call);
void run_append(CommandContext& call);
void run_strlen(CommandContext& call);
void run_getrange(CommandContext& call);  // and SUBSTR
void run_setrange(CommandContext& call);
void run_incr(CommandContext& call);  // and DECR, INCRBY, DECRBY
void run_incrbyfloat(CommandContext& call);

// Reads into `delta` what INCR, DECR, INCRBY or DECRBY adds. Returns the error's text; empty if it
// was understood.
std::string read_delta(std::string_view name, Arguments args, std::int64_t& delta);

}  // namespace edged::redis
