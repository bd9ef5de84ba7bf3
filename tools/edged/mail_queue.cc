// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/mail_queue.h"

#include <utility>

#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/net/spawn.h"
#include "tools/edged/mail_transport.h"
#include "worker/mail/unsubscribe_http.h"

namespace edged {
namespace {

mail::SenderOptions sender_options(const config::Config& config) {
  mail::SenderOptions options;
  options.identity = mail_identity(config);
  options.seed = random_number();
  return options;
}

std::function<Result<std::string>()> unsubscribe_secret(const config::Config& config) {
  return current_secret(config.mail.unsubscribe_secret,
                        config.mail.unsubscribe_secret_file,
                        "mail.unsubscribe_secret_file");
}

}  // namespace

mail::MailIdentity mail_identity(const config::Config& config) {
  mail::MailIdentity identity{config.mail.from, config.worker.public_url};
  const auto current = unsubscribe_secret(config);
  const Result<std::string> secret = current ? current() : Result<std::string>(std::string());
  if (secret) {
    identity.unsubscribe_secret = *secret;
  } else {
    log::error("mails get no link to unsubscribe: " + secret.error().message());
  }
  return identity;
}

MailQueue::MailQueue(boost::asio::any_io_executor executor,
                     const config::Config& config,
                     db::PgPool& pool,
                     mail::Transport& transport,
                     const Clock& clock,
                     MetricsRegistry& metrics)
    : executor_(executor),
      unsubscribe_secret_(unsubscribe_secret(config)),
      suppressions_(pool, clock),
      sender_(executor, pool, transport, clock, metrics, sender_options(config)),
      consumer_(executor, pool, clock, metrics, sender_.consumer_options(), sender_.handler()),
      keeper_(std::move(executor), pool, clock, {}, metrics) {}

boost::asio::awaitable<void> MailQueue::run() {
  net::spawn(executor_, keeper_.run());
  co_await consumer_.run();
}

void MailQueue::add_routes(http::Server& server) {
  if (!unsubscribe_secret_) return;
  mail::UnsubscribeRoutes routes;
  routes.secret = [current = unsubscribe_secret_] {
    const Result<std::string> secret = current();
    return secret ? *secret : std::string();
  };
  routes.suppress = [suppressions = &suppressions_](std::string address) {
    return suppress(suppressions, std::move(address));
  };
  mail::add_unsubscribe_routes(server, std::move(routes));
}

boost::asio::awaitable<Status> MailQueue::suppress(mail::Suppressions* suppressions,
                                                   std::string address) {
  const Result<bool> added = co_await suppressions->add(
      std::move(address), mail::SuppressionSource::kUnsubscribe, "unsubscribed");
  co_return added ? Status() : added.error();
}

}  // namespace edged
