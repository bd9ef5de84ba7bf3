// SPDX-License-Identifier: Apache-2.0
// The mirror's state, and its end, for operators: `edged mirror status` and `edged mirror drop`.
// The executor's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/mirror/mirror.h"

namespace edged::mirror {

struct MirrorStatus {
  std::optional<SlotFacts> slot;  // nothing: there is none, or it is a temporary one
  Lsn server_position = 0;
  StoredState node;
};
// Changes nothing. Errors: those of PostgreSQL and of the node.
boost::asio::awaitable<Result<MirrorStatus>> read_status(db::PgPool& pool,
                                                         net::Client& client,
                                                         const MirrorOptions& options);

enum class Following {
  kYes,
  kNotLoaded,  // never, or the rows are being loaded
  kNobody,     // no worker is connected to the slot
  kLost,       // PostgreSQL has dropped what the slot needs
  kBehind,     // connected, and nothing has been proven lately
};
// Pure.
Following judge(const MirrorStatus& status, const MirrorOptions& options, WallTime now);

struct Dropped {
  bool slot = false, publication = false;
  Status publication_kept;   // why it was not dropped: it belongs to another role
  std::optional<bool> node;  // nothing: it could not be asked
  Status node_failure;
};
// Ends a mirror: slot and publication in PostgreSQL, then the mirrored keys in the node. Errors:
// kBusy (a worker follows it: stop that first), those of PostgreSQL.
boost::asio::awaitable<Result<Dropped>> drop(db::PgPool& pool,
                                             net::Client& client,
                                             const MirrorOptions& options);

}  // namespace edged::mirror
