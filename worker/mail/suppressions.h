// SPDX-License-Identifier: Apache-2.0
// The addresses to which nothing is sent, table edged.mail_suppressions. Executor's thread; the
// pool outlives the object, and the object its coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/db/pg_pool.h"
#include "worker/mail/transport.h"

namespace edged::mail {

enum class SuppressionSource { kUnsubscribe, kBounce, kOperator };

// "unsubscribe", "bounce", "operator".
std::string suppression_source_name(SuppressionSource source);

struct Suppression {
  std::string address, reason, source;
  std::string since;  // RFC 3339
};

class Suppressions {
 public:
  Suppressions(db::PgPool& pool, const Clock& clock) : pool_(pool), clock_(clock) {}

  // Compared without regard to case and outer blanks; otherwise as the application writes it.
  // An address that is there already keeps its first reason. False: it was there.
  // Errors here and below: those of PgPool::execute.
  boost::asio::awaitable<Result<bool>> add(std::string address,
                                           SuppressionSource source,
                                           std::string reason);
  // Suppresses the address if the delivery says that its server never takes mails for it. Failing
  // is only logged: the next mail to it hears the same.
  boost::asio::awaitable<void> note(std::string address, Delivery delivery);
  // False: it was not there.
  boost::asio::awaitable<Result<bool>> remove(std::string address);
  // By time, oldest first.
  boost::asio::awaitable<Result<std::vector<Suppression>>> list();

 private:
  db::PgPool& pool_;
  const Clock& clock_;
};

}  // namespace edged::mail
