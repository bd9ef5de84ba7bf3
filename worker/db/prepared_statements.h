// SPDX-License-Identifier: Apache-2.0
// Which statements a connection's server holds prepared, by their text. A text is prepared when it
// is used for the second time, so that what is sent once costs nothing; at most kPreparedMax of a
// connection are, and what comes later is sent as it is. Pure; one thread at a time.
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
  // The server has prepared `sql` under the name of next_use().
  void confirm(const std::string& sql);
  // The server holds none any more.
  void clear();

 private:
  struct Entry {
    std::string name;  // empty until it is to be prepared
    bool confirmed = false;
  };

  std::unordered_map<std::string, Entry> entries_;
  std::size_t named_ = 0;
  std::size_t last_name_ = 0;  // names are not used again
};

}  // namespace edged::db
