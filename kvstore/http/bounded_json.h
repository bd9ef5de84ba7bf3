// SPDX-License-Identifier: Apache-2.0
// Parses a JSON document that comes in pieces, within a bound on the memory of its values: a
// document of many small values takes many times its own size. No I/O; one thread at a time.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "proto/base/status.h"

namespace edged::kv_http {

class BoundedJson {
 public:
  explicit BoundedJson(std::size_t memory_bytes_max);
  ~BoundedJson();

  // Errors: kInvalidArgument (not JSON, or nested more than 512 deep); kTooLarge (the bound). After
  // an error nothing more may be fed.
  Status feed(std::string_view piece);
  // The document, which must not outlive this object. Errors: as feed(); kInvalidArgument also if
  // it is not complete.
  Result<const boost::json::value*> finish();

 private:
  class Memory;

  std::shared_ptr<Memory> memory_;
  boost::json::stream_parser parser_;
  std::optional<boost::json::value> document_;
};

}  // namespace edged::kv_http
