// SPDX-License-Identifier: Apache-2.0
// Delivers the mails of the outbox, the table edged.mails. A row is leased, checked a last time
// (may the user be mailed, is a late mail still true), sent, and completed under its lease. Rows
// stay as the record.
//
// Any number of deliverers work on one database; each mail goes to one of them. When a deliverer
// dies, its leases end, and the others send the same bytes under the same Message-ID. A lease is
// renewed while the deliverer waits for the upstream or the transport, however long that takes.
// Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "worker/class_monitor/notification.h"
#include "worker/class_monitor/seat_inquiry.h"
#include "worker/class_monitor/verdict.h"
#include "worker/db/pg_pool.h"
#include "worker/mail/transport.h"

namespace edged::mail {

using class_monitor::AskSeats;
using class_monitor::SeatAnswer;
using class_monitor::SeatInquiry;
using class_monitor::Seats;
using class_monitor::SectionQuestion;

struct OutboxOptions {
  MailIdentity identity;
  int batch_size = 20;
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds poll_interval{1000};
  std::chrono::milliseconds retry_first{2000};
  std::chrono::milliseconds retry_max{600'000};
  int attempts_max = 20;
  // A late mail is judged by the stored state if that was seen within this time; otherwise the
  // upstream is asked again.
  std::chrono::milliseconds state_age_max{600'000};
  std::uint64_t seed = 1;  // of the back-off's jitter
};

class OutboxDelivery {
 public:
  // Everything given by reference outlives the object. `ask` asks the upstream; without it a late
  // mail is judged by the state in PostgreSQL, however old.
  OutboxDelivery(boost::asio::any_io_executor executor,
                 db::PgPool& pool,
                 Transport& transport,
                 const Clock& clock,
                 MetricsRegistry& metrics,
                 OutboxOptions options,
                 AskSeats ask = {});
  ~OutboxDelivery();
  OutboxDelivery(const OutboxDelivery&) = delete;
  OutboxDelivery& operator=(const OutboxDelivery&) = delete;

  // Delivers what is due now, batch by batch, until nothing is.
  // Errors: those of PgPool::execute. What was claimed and not finished is tried again later.
  boost::asio::awaitable<Result<OutboxCounts>> deliver_due();

  // Delivers what is due each poll interval, and at once after wake(), until stop(). Errors are
  // logged and tried again.
  boost::asio::awaitable<void> run();
  void wake();
  // run() returns after the mail it is sending.
  void stop();

  // Delivers what is due until no mail of the run is left or `patience` has passed. In the latter
  // case it does not wait for the delivery under way, and the object is stopped as by stop().
  // Returns how many mails of the run are neither sent nor given up. Errors: those of
  // PgPool::execute.
  boost::asio::awaitable<Result<int>> deliver_run(std::int64_t run_id,
                                                  std::chrono::milliseconds patience);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::mail
