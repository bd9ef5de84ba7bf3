// SPDX-License-Identifier: Apache-2.0
// Sends mails to an SMTP server through libcurl: STARTTLS or TLS from the first byte, AUTH PLAIN
// and LOGIN, connections that are kept and used again.
//
// Each delivery runs on a thread of the transport, because libcurl blocks while it waits for the
// answer to a message, with its multi interface too (7.88, smtp_done in lib/smtp.c). deliver() may
// be called from an event loop; any thread.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "worker/mail/transport.h"

namespace edged::mail {

struct SmtpOptions {
  std::string url;  // smtp://HOST[:PORT][/NAME], smtps://…; NAME: what EHLO says
  std::string user;
  // Asked for each mail, on any thread of the transport, one call at a time; null: no password.
  std::function<Result<std::string>()> password;
  bool requires_tls = true;  // false: smtp:// stays as it is, without STARTTLS
  std::string ca_file;       // PEM; empty: the system's authorities
  int connections_max = 4;
  // To a usable connection: TCP, TLS, greeting, EHLO and AUTH.
  std::chrono::milliseconds connect_timeout{60'000};
  std::chrono::seconds reply_timeout{120};   // to the answer to a command
  std::chrono::seconds accept_timeout{300};  // to the answer to the message: see docs/mail.md
};

// Whether `url` names this machine: localhost, 127.0.0.0/8 or ::1.
bool is_loopback_url(std::string_view url);

class SmtpSession;

class SmtpTransport final : public Transport {
 public:
  explicit SmtpTransport(SmtpOptions options);
  // Ends deliveries under way within a second or so; one whose message was sent and not answered is
  // kUnknown. Destroy the transport before the event loops whose coroutines called deliver().
  ~SmtpTransport() override;
  SmtpTransport(const SmtpTransport&) = delete;
  SmtpTransport& operator=(const SmtpTransport&) = delete;

  std::string_view name() const override { return "smtp"; }
  Limits limits() const override;

  // A delivery that was begun goes on, also if the coroutine is cancelled meanwhile.
  boost::asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) override;

  // The same on the caller's thread. Blocks.
  Delivery send(const Message& message, bool wants_conversation);
  // Everything up to a mail: connects, negotiates TLS, logs in, and says NOOP. kAccepted: the
  // server would take mails from here. Blocks.
  Delivery probe();

 private:
  std::unique_ptr<SmtpSession> take_session();
  void give_back(std::unique_ptr<SmtpSession> session);
  Result<std::string> password();

  const SmtpOptions options_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<SmtpSession>> idle_;  // guarded by mutex_; the last used at the end
  std::mutex password_mutex_;
  boost::asio::thread_pool threads_;
};

}  // namespace edged::mail
