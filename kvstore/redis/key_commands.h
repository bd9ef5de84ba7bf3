// SPDX-License-Identifier: Apache-2.0
// The commands on keys whatever their values, over an overlay (command_context.h). One thread.
#pragma once

#include "kvstore/redis/command_context.h"

namespace edged::redis {

void run_del(CommandContext& call);  // and UNLINK
void run_delifeq(CommandContext& call);
void run_exists(CommandContext& call);  // and TOUCH
void run_type(CommandContext& call);
void run_ttl(CommandContext& call);     // and PTTL, EXPIRETIME, PEXPIRETIME
void run_expire(CommandContext& call);  // and PEXPIRE, EXPIREAT, PEXPIREAT
void run_persist(CommandContext& call);
void run_rename(CommandContext& call);  // and RENAMENX
void run_copy(CommandContext& call);
void run_object(CommandContext& call);
void run_watched(CommandContext& call);  // the reading of WATCH

// Reads the time that EXPIRE, PEXPIRE, EXPIREAT or PEXPIREAT asks for into `expires_at`. Returns
// the error's text; empty if the time was understood.
std::string read_expiry(std::string_view name,
                        std::string_view amount,
                        WallTime now,
                        std::optional<WallTime>& expires_at);

}  // namespace edged::redis
