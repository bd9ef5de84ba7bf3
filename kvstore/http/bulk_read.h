// SPDX-License-Identifier: Apache-2.0
// Bulk reads of both Cloudflare faces: {"keys":[…],"type":"text","withMetadata":true} and their
// answer, which is written in pieces because 25 MiB of values may be six times as long in JSON. No
// I/O; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/http/kv_rules.h"
#include "kvstore/storage/store.h"
#include "proto/base/status.h"

namespace edged::kv_http {

// A body of this size holds 100 keys of 512 bytes, escaped in the longest way.
inline constexpr std::size_t kBulkReadBodyBytesMax = 1 << 20;

struct BulkRead {
  std::vector<std::string> keys;  // in the order of the request, each once
  bool json = false;              // values are JSON texts and are answered as JSON
  bool with_metadata = false;
};

// Refusals: those of kv_rules.h; code 10029 and "invalid request" for another shape.
Checked<BulkRead> parse_bulk_read(std::string_view body);

// The answer {"name":value,…} in the order of the keys: null for a missing entry, and with metadata
// {"value":…,"metadata":…} or null.
class BulkReadAnswer {
 public:
  // `entries` belong to `read.keys` one by one; kNotFound means missing. `with_expiration`: entries
  // that expire say when, as the REST face does.
  BulkReadAnswer(BulkRead read, std::vector<Result<storage::Entry>> entries, bool with_expiration);

  // The first error of an entry but kNotFound.
  Status error() const;
  // Refused if a value is not of the type asked for, or all are too large together.
  Check check() const;
  // Of all values, before the first next().
  std::size_t value_bytes() const;

  // The next piece, at most about 400 KiB; empty at the end. Only if neither of the above objects.
  std::string next();

 private:
  bool append_value(std::string& out);
  void append_end_of_entry(std::string& out) const;

  BulkRead read_;
  std::vector<Result<storage::Entry>> entries_;
  bool with_expiration_;
  std::size_t index_ = 0;   // the entry to go on with
  std::size_t offset_ = 0;  // bytes of its value that are written
  bool in_value_ = false;
  bool begun_ = false;
  bool done_ = false;
};

}  // namespace edged::kv_http
