// SPDX-License-Identifier: Apache-2.0
// A blocking connection to the PostgreSQL that libpq's environment names (PGHOST and so on). One
// thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/status.h"

struct pg_conn;

namespace edged::bench {

class Postgres {
 public:
  // Errors: kUnavailable.
  static Result<std::unique_ptr<Postgres>> connect();

  Status prepare(const std::string& name, const std::string& sql);

  struct Answer {
    std::int64_t rows = 0;           // returned, or written
    std::vector<std::string> first;  // columns of the first row returned
  };
  // A prepared statement, as a transaction of its own. Errors: kInternal, with what PostgreSQL
  // says.
  Result<Answer> execute(const std::string& name, const std::vector<std::string>& parameters);

  struct Copied {
    std::uint64_t rows = 0, bytes = 0;
  };
  // "copy ... to stdout", of which every row is dropped.
  Result<Copied> copy_out(const std::string& sql);

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  explicit Postgres(pg_conn* connection) : connection_(connection) {}
  Status failure(const std::string& what) const;

  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace edged::bench
