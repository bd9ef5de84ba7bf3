// SPDX-License-Identifier: Apache-2.0
#include "proto/http/head_scan.h"

namespace edged::http {

HeadScan::State HeadScan::bad(const char* why) {
  error_ = why;
  return State::kBad;
}

HeadScan::State HeadScan::scan(std::string_view bytes) {
  for (; at_ < bytes.size(); ++at_) {
    const char byte = bytes[at_];
    if (byte == '\0') return bad("the header has a NUL byte");
    const bool first_line = line_start_ == 0;
    if (at_ == line_start_ && !first_line && (byte == ' ' || byte == '\t')) {
      return bad("continued header lines are not supported");
    }
    const bool after_return = at_ > line_start_ && bytes[at_ - 1] == '\r';
    if (after_return != (byte == '\n')) return bad("a line of the header does not end with CR LF");
    if (byte != '\n') continue;
    const bool empty_line = at_ - line_start_ == 1;
    if (empty_line && first_line) return bad("the request begins with an empty line");
    line_start_ = at_ + 1;
    if (empty_line) {
      ++at_;
      return State::kDone;
    }
  }
  return State::kMore;
}

}  // namespace edged::http
