// SPDX-License-Identifier: Apache-2.0
// The queue `email` in a worker: the mails of jobs and those that applications send with
// edged.queue_send, and the page where readers unsubscribe. One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>
#include <utility>

#include "proto/http/server.h"
#include "tools/edged/config.h"
#include "worker/mail/mail_keeper.h"
#include "worker/mail/sender.h"
#include "worker/mail/suppressions.h"

namespace edged {

class MailQueue {
 public:
  // Everything given by reference outlives the object.
  MailQueue(boost::asio::any_io_executor executor,
            const config::Config& config,
            db::PgPool& pool,
            mail::Transport& transport,
            const Clock& clock,
            MetricsRegistry& metrics);

  // Before the server listens: the page, if mail.unsubscribe_secret is set.
  void add_routes(http::Server& server);
  // Before run(). Mails of an application's kind; `kind` outlives the object.
  void add_kind(std::string name, mail::LetterKind& kind) {
    sender_.add_kind(std::move(name), kind);
  }
  // Delivers, and deletes what is too old, until stop().
  boost::asio::awaitable<void> run();
  // There are new mails.
  void wake() { consumer_.wake(); }
  // Gives back what is not sent yet.
  boost::asio::awaitable<void> stop() {
    keeper_.stop();
    return consumer_.stop(std::chrono::milliseconds(3000));
  }

 private:
  static boost::asio::awaitable<Status> suppress(mail::Suppressions* suppressions,
                                                 std::string address);

  boost::asio::any_io_executor executor_;
  const std::function<Result<std::string>()> unsubscribe_secret_;  // null: not set
  mail::Suppressions suppressions_;
  mail::Sender sender_;
  queue::Consumer consumer_;
  mail::MailKeeper keeper_;
};

}  // namespace edged
