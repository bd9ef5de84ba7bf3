// SPDX-License-Identifier: Apache-2.0
// Writes replies of the Redis protocol, version 2 or 3, behind what `out` holds. What version 2
// lacks is written as Redis writes it there: a map as an array of twice the length, null as an
// empty bulk string, a push as an array. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace edged::redis {

class Reply {
 public:
  Reply(std::string& out, int protocol) : out_(out), resp3_(protocol == 3) {}

  bool resp3() const { return resp3_; }
  std::string& out() { return out_; }

  void ok() { out_.append("+OK\r\n"); }
  void simple(std::string_view text);
  // "ERR value is not an integer or out of range": code and text. Line ends become blanks.
  void error(std::string_view text);
  void integer(std::int64_t number);
  void bulk(std::string_view bytes);
  void bulk_number(std::int64_t number);
  // Lines of text for people: a verbatim string in version 3.
  void text(std::string_view text);
  void null();        // of a string
  void null_array();  // of an array: EXEC that was not executed
  void boolean(bool value);
  void array(std::size_t items) { header('*', items); }
  void set(std::size_t items) { header(resp3_ ? '~' : '*', items); }
  void map(std::size_t pairs) { header(resp3_ ? '%' : '*', resp3_ ? pairs : pairs * 2); }
  void push(std::size_t items) { header(resp3_ ? '>' : '*', items); }

 private:
  void header(char type, std::size_t count);
  void number_line(char type, std::int64_t number);

  std::string& out_;
  const bool resp3_;
};

}  // namespace edged::redis
