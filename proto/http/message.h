// SPDX-License-Identifier: Apache-2.0
// Requests and answers as handlers see them: whole (Request, Response) for buffered routes, heads
// alone (RequestHead, ResponseHead) for streamed ones. Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edged::http {

// Names in lower case; the values of equal names are joined by ", ". A value holds the bytes that
// came, without the blanks around them: also 0x7F and bytes above it.
using Headers = std::map<std::string, std::string>;

struct Request {
  std::string method;                        // "GET"
  std::string path;                          // percent-decoded, without the query
  std::map<std::string, std::string> query;  // decoded; the last of equal names wins
  Headers headers;
  std::string body;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";  // empty: no such header
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string reason{};  // empty: the standard phrase of `status`
};

// A request without its body.
struct RequestHead {
  std::string method;       // as it came: "GET", "get" and "PURGE" are three methods
  std::string target_path;  // not decoded; begins with '/'
  std::string query;        // not decoded, without the '?'
  // HOST or HOST:PORT of an absolute-form target, else of Host; nothing in an HTTP/1.0 request
  // without a Host header.
  std::optional<std::string> authority;
  Headers headers;
  // Nothing if the body is chunked; 0 if there is none.
  std::optional<std::uint64_t> content_length;
};

// An answer without its body. The server adds Content-Length or Transfer-Encoding, Connection,
// Cache-Control: no-store and X-Content-Type-Options: nosniff.
struct ResponseHead {
  int status = 200;
  std::string content_type{};  // empty: no such header
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string reason{};  // empty: the standard phrase of `status`
};

// A short JSON answer, {"error":"..."}; `why` needs no escapes.
Response refusal(int status, std::string_view why);

}  // namespace edged::http
