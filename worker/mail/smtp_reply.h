// SPDX-License-Identifier: Apache-2.0
// What an SMTP server's reply says about a mail (RFC 5321, 4.2; enhanced codes: RFC 3463), and
// what the end of a connection without a reply says. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "worker/mail/transport.h"

namespace edged::mail {

// The last command that was sent. kConnect: none, so a reply is the greeting; kAccept: the whole
// message and the dot after it.
enum class SmtpStep { kConnect, kHello, kStartTls, kAuth, kMail, kRecipient, kData, kAccept };

// "connecting", "EHLO", "STARTTLS", "AUTH", "MAIL FROM", "RCPT TO", "DATA", "the message".
std::string_view to_string(SmtpStep step);

struct SmtpReply {
  int code = 0;          // 0: there was none
  std::string enhanced;  // "5.1.1"; empty: none
  std::string text;      // without codes; lines joined by blanks

  // "550 5.1.1 No such user".
  std::string to_string() const;
};

// Puts a reply of several lines together.
class SmtpReplyReader {
 public:
  // One line, with or without its line end. What is no reply line is ignored. True: it was the
  // last line of a reply.
  bool take_line(std::string_view line);
  // The reply so far.
  const SmtpReply& reply() const { return reply_; }
  bool is_complete() const { return complete_; }
  void clear();

 private:
  SmtpReply reply_;
  bool complete_ = true;
};

// The step of a command line as it is sent; kConnect: none of them.
SmtpStep step_of_command(std::string_view line);

// What `reply`, which is not a success, to `step` means for the mail and its one recipient.
Delivery::Outcome judge_refusal(SmtpStep step, const SmtpReply& reply);

}  // namespace edged::mail
