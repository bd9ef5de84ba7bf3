// SPDX-License-Identifier: Apache-2.0
// The handler of queue `email`: takes letters by the batch, looks at them a last time (one
// statement a kind and one of its own), and delivers them through a transport, several at once.
// Each is acked as it ends, and its events are recorded in the transaction that completes it.
//
// A letter is attempted until it is accepted, dropped with a reason, or dead. If a worker is killed
// or a connection is cut between acceptance and record, at most one more copy is sent, with the
// same Message-ID. Executor's thread; the object outlives its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/metrics.h"
#include "worker/db/pg_pool.h"
#include "worker/mail/letter.h"
#include "worker/mail/transport.h"
#include "worker/queue/consumer.h"

namespace edged::mail {

inline constexpr const char* kMailQueue = "email";

struct SenderOptions {
  MailIdentity identity;  // for letters that name no `from` or `url`
  // Instead of identity.unsubscribe_secret, asked for each mail; empty function: there is none.
  std::function<std::string()> unsubscribe_secret;
  int attempts_max = 20;
  std::chrono::milliseconds retry_first{2000};
  std::chrono::milliseconds retry_max{600'000};
  std::uint64_t seed = 1;  // of the back-off's jitter
};

class Sender {
 public:
  // Everything given by reference outlives the object.
  Sender(boost::asio::any_io_executor executor,
         db::PgPool& pool,
         Transport& transport,
         const Clock& clock,
         MetricsRegistry& metrics,
         SenderOptions options);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Letters of this `kind` are its. Before the first batch; `kind` outlives the object.
  void add_kind(std::string name, LetterKind& kind);

  // For the consumer: its handler, and its options with what records the events.
  queue::Handler handler();
  queue::ConsumerOptions consumer_options() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::mail
