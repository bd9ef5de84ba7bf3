// SPDX-License-Identifier: Apache-2.0
// Says in the log for whom a command of the mirror waits in PostgreSQL: for open transactions, or
// for the lock that another session has on a table. The executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "worker/db/pg_pool.h"

namespace edged::mirror {

// Reports while it lives: after a second, whenever the wait is for somebody else, and each minute.
// Nothing is logged while server process `pid` waits for nobody. `pool` outlives the call that the
// report is about; the report itself may end before its last statement does.
class WaitReport {
 public:
  // `what`: the beginning of the log line, up to the colon: what waits, and why PostgreSQL waits.
  WaitReport(boost::asio::any_io_executor executor, db::PgPool& pool, int pid, std::string what);
  ~WaitReport();
  WaitReport(const WaitReport&) = delete;
  WaitReport& operator=(const WaitReport&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace edged::mirror
