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

std::function<Result<std::string>()> unsubscribe_secret(const config::Config& config) {
  return current_secret(config.mail.unsubscribe_secret,
                        config.mail.unsubscribe_secret_file,
                        "mail.unsubscribe_secret_file");
}

// As the page that checks the links reads it. If it cannot be read, the last one holds.
std::function<std::string()> secret_for_links(std::function<Result<std::string>()> current) {
  if (!current) return {};
  struct Last {
    std::string secret;
    bool failed = false;
  };
  return [current = std::move(current), last = std::make_shared<Last>()] {
    const Result<std::string> now = current();
    if (now) last->secret = *now;
    if (!now && !last->failed) {
      log::error(std::string("mails get links to unsubscribe of the last secret, or none: ")
                     .append(now.error().message()));
    }
    last->failed = !now;
    return last->secret;
  };
}

mail::SenderOptions sender_options(const config::Config& config) {
  mail::SenderOptions options;
  options.identity = {config.mail.from, config.worker.public_url};
  options.unsubscribe_secret = secret_for_links(unsubscribe_secret(config));
  options.seed = random_number();
  return options;
}

}  // namespace

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
