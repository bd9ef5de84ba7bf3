// SPDX-License-Identifier: Apache-2.0
// Finds the end of a request's head in bytes as they come, and refuses at once what different
// servers would read differently: a line end that is not CR LF, a continued header line
// ("obs-fold", RFC 9112 section 5.2), a NUL. Such bytes are how one request is smuggled inside
// another. It keeps no copy of the bytes. Any thread, one at a time.
#pragma once

#include <cstddef>
#include <string_view>

namespace edged::http {

class HeadScan {
 public:
  enum class State {
    kMore,  // the head goes on behind `bytes`
    kDone,  // it ends at size()
    kBad,   // error() says why
  };

  // `bytes` is all that came since the request's first byte; what earlier calls have seen is not
  // looked at again.
  State scan(std::string_view bytes);

  std::size_t size() const { return at_; }  // of the head, with its empty line
  const char* error() const { return error_; }

 private:
  State bad(const char* why);

  std::size_t at_ = 0;          // first byte not seen
  std::size_t line_start_ = 0;  // of the line under way
  const char* error_ = "";
};

}  // namespace edged::http
