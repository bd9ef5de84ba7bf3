// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/smtp.h"

#include <curl/curl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "worker/mail/smtp_session.h"

namespace edged::mail {
namespace {

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { KV_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

// Runs on a thread of the transport, which outlives it.
boost::asio::awaitable<Delivery> send_later(SmtpTransport* transport, Parcel parcel) {
  Delivery delivery;
  for (const Message& message : parcel.messages) {
    delivery = transport->send(message, parcel.wants_conversation);
    if (delivery.outcome != Delivery::Outcome::kAccepted) break;
  }
  co_return delivery;
}

// Addresses come from parse_address(); this holds whatever a caller does.
bool is_plain(std::string_view address) {
  for (const char c : address) {
    if (c <= ' ' || c > '~' || c == '<' || c == '>') return false;
  }
  return !address.empty();
}

}  // namespace

bool is_loopback_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (url.starts_with("[::1]")) return true;
  const std::string_view host = url.substr(0, url.find(':'));
  const bool is_number = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || (is_number && host.starts_with("127."));
}

SmtpTransport::SmtpTransport(SmtpOptions options)
    : options_(std::move(options)), threads_(static_cast<std::size_t>(options_.connections_max)) {
  initialise_curl();
}

SmtpTransport::~SmtpTransport() {
  stopping_ = true;
  threads_.join();
}

Transport::Limits SmtpTransport::limits() const {
  return {.batch_max = 1, .parallel_max = options_.connections_max};
}

std::unique_ptr<SmtpSession> SmtpTransport::take_session() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<SmtpSession>(options_, stopping_);
  std::unique_ptr<SmtpSession> session = std::move(idle_.back());
  idle_.pop_back();
  return session;
}

void SmtpTransport::give_back(std::unique_ptr<SmtpSession> session) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(session));
}

Result<std::string> SmtpTransport::password() {
  if (options_.password == nullptr) return std::string();
  const std::lock_guard lock(password_mutex_);
  return options_.password();
}

Delivery SmtpTransport::send(const Message& message, bool wants_conversation) {
  if (!is_plain(message.sender) || !is_plain(message.recipient)) {
    return {Delivery::Outcome::kMessageBad,
            "the address is not plain ASCII, which this program does not send to (SMTPUTF8)",
            {}};
  }
  const Result<std::string> secret = password();
  if (!secret) return {Delivery::Outcome::kMisconfigured, secret.error().message(), {}};
  std::unique_ptr<SmtpSession> session = take_session();
  Delivery delivery = session->send(message, *secret, wants_conversation);
  give_back(std::move(session));
  return delivery;
}

Delivery SmtpTransport::probe() {
  const Result<std::string> secret = password();
  if (!secret) return {Delivery::Outcome::kMisconfigured, secret.error().message(), {}};
  SmtpSession session(options_, stopping_);
  return session.probe(*secret);
}

boost::asio::awaitable<Delivery> SmtpTransport::deliver(Parcel parcel, Attempt) {
  boost::asio::awaitable<Delivery> task = send_later(this, std::move(parcel));
  Delivery delivery =
      co_await boost::asio::co_spawn(threads_, std::move(task), boost::asio::use_awaitable);
  co_return delivery;
}

}  // namespace edged::mail
