// SPDX-License-Identifier: Apache-2.0
// GET, MGET and LIST against the store: one request in, one response frame out (docs/protocol.md,
// "Operations"). A response never exceeds the peer's frame limit: MGET answers the first of its
// items, LIST a shorter page. No I/O of its own; with ReadTier::kMemory nothing here waits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvstore/operations/request_metrics.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"

namespace edged::server {

using operations::KeyCounts;

// Each appends one response and returns its status, or appends nothing and returns nothing if the
// answer would need the disk (kMemory only).
// A GET with the flag LEASE may take a lease, which is why the store is not const.
std::optional<Code> answer_get(storage::Store& store,
                               const wire::Request& request,
                               const ReplyTo& to,
                               storage::ReadTier tier,
                               KeyCounts& counts,
                               std::string& out);
std::optional<Code> answer_multi_get(const storage::Store& store,
                                     const wire::Request& request,
                                     const ReplyTo& to,
                                     storage::ReadTier tier,
                                     KeyCounts& counts,
                                     std::string& out);

// Waits for the disk: storage pool only.
Code answer_list(const storage::Store& store,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out);

// What `flags` ask to be told about an entry. A view into `entry`.
wire::Fields entry_fields(const storage::Entry& entry, std::uint16_t flags);

}  // namespace edged::server
