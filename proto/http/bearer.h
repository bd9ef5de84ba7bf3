// SPDX-License-Identifier: Apache-2.0
// The token of a request's Authorization header (RFC 6750 section 2.1). Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "proto/http/message.h"
#include "proto/http/request.h"

namespace edged::http {

// What stands behind "Bearer "; nothing without the header or with another scheme. Valid as long as
// `headers` is.
inline std::optional<std::string_view> bearer_of(const Headers& headers) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = headers.find("authorization");
  if (header == headers.end()) return std::nullopt;
  const std::string_view value = header->second;
  if (!equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return value.substr(kScheme.size());
}

}  // namespace edged::http
