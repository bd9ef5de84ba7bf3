// SPDX-License-Identifier: Apache-2.0
// A connection of the soak to PostgreSQL that may break at any moment. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct pg_conn;

namespace edged::soak {

class MirrorSql {
 public:
  enum class Outcome { kDone, kRefused, kBroken };  // kBroken: it may have happened or not
  struct Answer {
    Outcome outcome = Outcome::kBroken;
    std::vector<std::vector<std::optional<std::string>>> rows;
    std::string error;
    bool ok() const { return outcome == Outcome::kDone; }
    // The first column of the first row; empty if there is none.
    std::string value() const;
  };

  // Connects at the first statement, and again after a break.
  explicit MirrorSql(std::string url) : url_(std::move(url)) {}

  // One or several statements; the rows of the last.
  Answer run(const std::string& sql);
  // The same until it is not broken. For what may be repeated.
  Answer insist(const std::string& sql);
  void close() { connection_.reset(); }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  const std::string url_;
  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace edged::soak
