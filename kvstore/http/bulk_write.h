// SPDX-License-Identifier: Apache-2.0
// The bodies of bulk writes and bulk deletes, as Cloudflare's REST face takes them. An entry that
// is refused refuses the whole request, so that nothing of it is stored. Pure functions; any
// thread.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <string_view>
#include <vector>

#include "kvstore/http/kv_rules.h"
#include "kvstore/storage/store.h"
#include "proto/base/clock.h"

namespace edged::kv_http {

inline constexpr std::size_t kBulkEntriesMax = 10'000;
inline constexpr std::size_t kBulkBodyBytesMax = 100 * 1024 * 1024;

// One Put for each {"key":…,"value":…,"base64":…,"metadata":…,"expiration":…,"expiration_ttl":…}.
Checked<std::vector<storage::Operation>> parse_bulk_put(const boost::json::value& document,
                                                        storage::NamespaceNumber ns,
                                                        WallTime now);

// One Delete for each name.
Checked<std::vector<storage::Operation>> parse_bulk_delete(const boost::json::value& document,
                                                           storage::NamespaceNumber ns);

// The key of a Put or a Delete.
const std::string& key_of(const storage::Operation& operation);
// Bytes that it writes.
std::size_t bytes_of(const storage::Operation& operation);

}  // namespace edged::kv_http
