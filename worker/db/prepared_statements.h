// SPDX-License-Identifier: Apache-2.0
// Which statements a connection's server holds prepared, by their text. A text is prepared when it
// is used for the second time, so that what is sent once costs nothing; at most kPreparedMax of a
// connection are, and what comes later is sent as it is. Names are made from the texts: whoever
// shares a session unawares, through a pooler, finds the same statement under the same name. Pure;
// one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

namespace edged::db {

constexpr std::size_t kPreparedMax = 64;

class PreparedStatements {
 public:
  enum class How { kPlain, kPrepareAndUse, kUse };
  struct Sending {
    How how = How::kPlain;
    std::string name;  // empty for kPlain
  };

  // How `sql` is to be sent now; counts a use.
  Sending next_use(const std::string& sql);
  // What became of a kPrepareAndUse. Until then the text is sent as it is.
  void settle(const std::string& sql, bool prepared);
  // The server holds none any more.
  void clear();

 private:
  struct Entry {
    enum class State { kSeen, kBeingPrepared, kPrepared };
    State state = State::kSeen;
    std::string name{};  // empty until it is to be prepared
  };

  std::unordered_map<std::string, Entry> entries_;
  std::size_t named_ = 0;
};

}  // namespace edged::db
