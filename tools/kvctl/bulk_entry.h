// SPDX-License-Identifier: Apache-2.0
// One entry of Cloudflare's bulk JSON, as "wrangler kv bulk put" reads it and kvctl writes it:
//   {"key":"k","value":"text","base64":true,"expiration":1800000000,"expiration_ttl":60,"metadata":…}
// `base64` true: the value is base64 of its bytes. Of `expiration` (seconds since 1970) and
// `expiration_ttl` (seconds) the second wins. A key that is not UTF-8 stands in "key_base64", which
// Cloudflare does not know. Pure; any thread.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "proto/base/status.h"
#include "proto/net/client.h"

namespace edged::kvctl {

// The entry as an unconditional put; its expiry may be in the past.
// Errors: kInvalidArgument, kTooLarge: what is wrong with which member.
Result<net::PutItem> read_bulk_entry(const boost::json::value& entry);

// What Cloudflare's format cannot hold, counted over many entries.
struct BulkLosses {
  std::uint64_t binary_keys = 0;   // written as key_base64
  std::uint64_t bad_metadata = 0;  // not JSON: left out
};

// The entry as JSON on one line, without a line break. An expiry is rounded up to whole seconds.
// Metadata keep their text.
std::string write_bulk_entry(const std::string& key, const net::KvEntry& entry, BulkLosses& losses);

}  // namespace edged::kvctl
