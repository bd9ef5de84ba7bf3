// SPDX-License-Identifier: Apache-2.0
// Requests that change entries: from a request to the store's Write, and from the store's outcomes
// to one response frame. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"

namespace edged::server {

// A request turned into operations. Items that are wrong by themselves are answered without them,
// unless the request is atomic: then it fails as a whole.
struct PlannedWrite {
  storage::Write write;
  std::uint16_t flags = 0;                      // the request's
  bool multi = false;                           // it has items
  std::vector<wire::Opcode> opcodes;            // of each item
  std::vector<storage::WriteOutcome> outcomes;  // of each item; filled in where refused already
  std::vector<std::size_t> places;              // operations[i] is item places[i]
};

// `durability` is that of a request that does not ask for sync.
// Errors: kBadFrame, kInvalidArgument, kTooLarge: nothing of the request is done.
Result<PlannedWrite> plan_write(const wire::Request& request, storage::Durability durability);

// Appends the response. `written` is what the store answered for plan.write.
Code answer_write(PlannedWrite plan,
                  Result<std::vector<storage::WriteOutcome>> written,
                  const ReplyTo& to,
                  std::string& out);

}  // namespace edged::server
