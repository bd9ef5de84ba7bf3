// SPDX-License-Identifier: Apache-2.0
// The request target of HTTP/1.1 (RFC 9112 section 3.2) taken apart: path and query,
// percent-decoded. Origin form ("/a?b=c") and absolute form ("http://host/a?b=c") are known; the
// others are refused. Pure functions; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::http {

// A target as it came, but for where it is cut.
struct RawTarget {
  std::string path;                      // begins with '/'
  std::optional<std::string> authority;  // of the absolute form: "host:80"
  std::string query;                     // without the '?'
};

// Errors: kInvalidArgument (other form, a fragment).
Result<RawTarget> split_target(std::string_view target);

struct Target {
  std::string path;                      // decoded; begins with '/'
  std::optional<std::string> authority;  // of the absolute form: "host:80"
  std::map<std::string, std::string>
      query;  // decoded, '+' is a space; the last of equal names wins
};

// Errors: kInvalidArgument (other form, bad percent escape, a NUL or control character, a
// fragment).
Result<Target> parse_target(std::string_view target);

// Nothing on an escape that is not two hexadecimal digits. `plus_is_space`: as HTML forms write it.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// Compares ASCII letters without regard to case.
bool equal_ignoring_case(std::string_view left, std::string_view right);

}  // namespace edged::http
