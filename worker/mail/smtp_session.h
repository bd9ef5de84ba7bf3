// SPDX-License-Identifier: Apache-2.0
// One curl handle with its connection, which carries a mail at a time. Private to the SMTP
// transport. One thread at a time.
#pragma once

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "worker/mail/smtp.h"
#include "worker/mail/smtp_reply.h"

namespace edged::mail {

class SmtpSession {
 public:
  // `options` and `stopping`, which ends a mail under way, must outlive the session.
  SmtpSession(const SmtpOptions& options, const std::atomic<bool>& stopping);
  // Closes the connection without waiting for the server.
  ~SmtpSession();
  SmtpSession(const SmtpSession&) = delete;
  SmtpSession& operator=(const SmtpSession&) = delete;

  Delivery send(const Message& message, const std::string& password, bool wants_conversation);
  // See SmtpTransport::probe().
  Delivery probe(const std::string& password);

 private:
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self);
  static int on_debug(CURL*, curl_infotype kind, char* bytes, std::size_t size, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close(void* self, curl_socket_t fd);

  void begin(const Message& message, const std::string& password);
  void set_options();
  void set_security();
  void clear_answers();
  CURLcode perform(const Message& message);
  bool should_try_again(CURLcode code);
  bool lacks_login() const { return !user_.empty() && !logged_in_; }
  Delivery judge(CURLcode code);
  Delivery judge_broken(CURLcode code) const;
  std::string without_secrets(std::string text) const;
  void take_command(std::string_view line);
  void note(std::string_view prefix, std::string_view text);

  const SmtpOptions& options_;
  const std::atomic<bool>& stopping_;
  CURL* easy_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;

  // Of the mail under way.
  std::string content_;  // CRLF lines, not yet dot-stuffed: curl does that
  std::size_t read_ = 0;
  std::string sender_, recipient_, user_, password_;
  std::vector<std::string> secrets_;  // each form of the password
  SmtpStep step_ = SmtpStep::kConnect;
  bool logged_in_ = false;  // on this connection
  bool hides_ = false;      // what is sent now belongs to a login
  bool over_ = false;       // QUIT was sent
  SmtpReplyReader replies_;
  bool wants_conversation_ = false;
  std::string conversation_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
};

// `content` with each line ended by CRLF, the last one too; a CR or LF alone ends a line.
std::string with_crlf(std::string_view content);

}  // namespace edged::mail
