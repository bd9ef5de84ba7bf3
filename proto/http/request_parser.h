// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.x request taken apart, by Beast, from bytes that somebody else reads: the head at
// once, the body in pieces. Stricter than Beast where two servers could disagree on where a request
// ends: a body has exactly one plain Content-Length, or the one transfer coding chunked. Any
// thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"
#include "proto/http/message.h"

namespace edged::http {

class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  struct Head {
    RequestHead request;
    std::optional<std::string> target_authority;  // of an absolute-form target
    std::size_t hosts = 0;                        // how many Host headers there were
    unsigned version = 11;
    bool keep_alive = false;
    bool expects_continue = false;
  };
  // `bytes`: a whole head, as HeadScan delimits it. Returns what to answer instead if it is
  // refused: 400, 501, 505.
  std::optional<Response> parse_head(std::string bytes, Head& head);

  bool body_done() const;

  struct Step {
    std::size_t consumed = 0;  // bytes of the input
    std::size_t produced = 0;  // bytes of the body, without chunk framing
  };
  // Takes body bytes from `input` into the `size` bytes at `out`; bytes behind the body stay.
  // Consumes nothing if it needs more input at once (a chunk's line, the trailer). After
  // parse_head(). Errors: kInvalidArgument.
  Result<Step> parse_body(std::string_view input, char* out, std::size_t size);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::http
