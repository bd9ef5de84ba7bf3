// SPDX-License-Identifier: Apache-2.0
// OPEN, PING, STATS and the namespace operations: one request in, one response frame out.
#pragma once

#include <functional>
#include <string>

#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::server {

Code answer_open(const storage::Store& store,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out);
Code answer_ping(const Clock& clock,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out);
// Only namespaces that are `visible`, unless that is null.
Code answer_namespace_list(const storage::Store& store,
                           const wire::Request& request,
                           const ReplyTo& to,
                           std::string& out,
                           const std::function<bool(const storage::Namespace&)>& visible = {});

// Live keys and bytes of a namespace as one JSON object.
Code answer_namespace_usage(const storage::Store& store,
                            const wire::Request& request,
                            const ReplyTo& to,
                            std::string& out);
// A response without fields, or the failure.
Code answer_status(const Status& status, const ReplyTo& to, std::string& out);

// These wait for the disk: storage pool only.
// RENAME, DELETE and CLEAR.
Code answer_namespace_change(storage::Store& store,
                             const wire::Request& request,
                             const ReplyTo& to,
                             std::string& out);
Code answer_namespace_create(storage::Store& store,
                             const wire::Request& request,
                             const ReplyTo& to,
                             std::string& out);
struct NodeStats {
  std::int64_t started_ms = 0;
  std::int64_t connections = 0;
};
Code answer_stats(const storage::Store& store,
                  const Clock& clock,
                  const NodeStats& node,
                  const ReplyTo& to,
                  std::string& out);

}  // namespace edged::server
