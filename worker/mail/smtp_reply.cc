// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/smtp_reply.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace edged::mail {
namespace {

using Outcome = Delivery::Outcome;

constexpr std::size_t kTextBytesMax = 1000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// How many bytes of `text` are an enhanced code, "5.1.1".
std::size_t enhanced_size(std::string_view text) {
  std::size_t at = 0;
  for (int part = 0; part < 3; ++part) {
    const std::size_t begin = at;
    while (at < text.size() && at - begin < 3 && is_digit(text[at])) ++at;
    if (at == begin) return 0;
    if (part < 2) {
      if (at >= text.size() || text[at] != '.') return 0;
      ++at;
    }
  }
  const bool of_class = text[0] == '2' || text[0] == '4' || text[0] == '5';
  return of_class && text[1] == '.' && (at == text.size() || text[at] == ' ') ? at : 0;
}

bool mentions(const std::string& text, std::string_view word) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
  };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

// Whether a refusal is a policy's, and so says nothing of the address.
bool is_policy(const std::string& text) {
  for (const std::string_view word :
       {"spam", "block", "policy", "blacklist", "blocklist", "reputation", "denied", "rejected"}) {
    if (mentions(text, word)) return true;
  }
  return false;
}

// Refused before there was a mail: the server does not want us, or not like this.
bool is_before_mail(SmtpStep step) {
  return step == SmtpStep::kConnect || step == SmtpStep::kHello || step == SmtpStep::kStartTls ||
         step == SmtpStep::kAuth;
}

bool is_about_login(int code) {
  return code == 530 || code == 534 || code == 535 || code == 538;
}

Outcome judge_sender(const SmtpReply& reply) {
  // The sender is the same for all mails: but for size and kind of this message, an operator must
  // look at it.
  const bool of_message = reply.code == 552 || reply.enhanced == "5.3.4" ||
                          reply.enhanced == "5.2.3" || reply.enhanced.starts_with("5.6.");
  return of_message ? Outcome::kMessageBad : Outcome::kMisconfigured;
}

Outcome judge_recipient(SmtpStep step, const SmtpReply& reply) {
  const std::string& code = reply.enhanced;
  if (code == "5.1.7" || code == "5.1.8") return Outcome::kMisconfigured;  // the sender's address
  if (code.starts_with("5.1.") || code == "5.2.1") return Outcome::kAddressBad;
  if (step != SmtpStep::kRecipient) return Outcome::kMessageBad;
  if (mentions(reply.text, "relay")) return Outcome::kMisconfigured;
  // Postfix to a client that should have logged in.
  const bool is_denied = code == "5.7.1" && mentions(reply.text, "access denied");
  if (is_denied) return Outcome::kMisconfigured;
  if (!code.empty()) return Outcome::kMessageBad;
  if (reply.code == 503) return Outcome::kMisconfigured;  // wants a login first
  const bool no_mailbox = reply.code == 550 || reply.code == 551 || reply.code == 553;
  return no_mailbox && !is_policy(reply.text) ? Outcome::kAddressBad : Outcome::kMessageBad;
}

}  // namespace

std::string_view to_string(SmtpStep step) {
  constexpr std::array<std::string_view, 8> kNames{
      "connecting", "EHLO", "STARTTLS", "AUTH", "MAIL FROM", "RCPT TO", "DATA", "the message"};
  return kNames[static_cast<std::size_t>(step)];
}

std::string SmtpReply::to_string() const {
  std::string out = std::to_string(code);
  if (!enhanced.empty()) out.append(" ").append(enhanced);
  if (!text.empty()) out.append(" ").append(text);
  return out;
}

void SmtpReplyReader::clear() {
  reply_ = {};
  complete_ = true;
}

bool SmtpReplyReader::take_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const bool coded = line.size() >= 3 && std::all_of(line.begin(), line.begin() + 3, is_digit) &&
                     (line.size() == 3 || line[3] == ' ' || line[3] == '-');
  if (!coded) return false;
  if (complete_) reply_ = {};
  reply_.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  complete_ = line.size() == 3 || line[3] == ' ';
  line.remove_prefix(std::min<std::size_t>(4, line.size()));
  if (const std::size_t size = enhanced_size(line); size > 0) {
    reply_.enhanced = std::string(line.substr(0, size));
    line.remove_prefix(std::min(size + 1, line.size()));
  }
  if (reply_.text.size() + line.size() < kTextBytesMax) {
    if (!reply_.text.empty() && !line.empty()) reply_.text += ' ';
    reply_.text.append(line);
  }
  return complete_;
}

SmtpStep step_of_command(std::string_view line) {
  constexpr std::array<std::pair<std::string_view, SmtpStep>, 7> kCommands{{
      {"EHLO", SmtpStep::kHello},
      {"HELO", SmtpStep::kHello},
      {"STARTTLS", SmtpStep::kStartTls},
      {"AUTH", SmtpStep::kAuth},
      {"MAIL", SmtpStep::kMail},
      {"RCPT", SmtpStep::kRecipient},
      {"DATA", SmtpStep::kData},
  }};
  for (const auto& [command, step] : kCommands) {
    if (line.starts_with(command)) return step;
  }
  return SmtpStep::kConnect;
}

Outcome judge_refusal(SmtpStep step, const SmtpReply& reply) {
  if (reply.code / 100 == 4) return Outcome::kTemporary;
  if (is_about_login(reply.code) || is_before_mail(step)) return Outcome::kMisconfigured;
  if (reply.code / 100 != 5) return Outcome::kTemporary;  // out of order; no promise either
  return step == SmtpStep::kMail ? judge_sender(reply) : judge_recipient(step, reply);
}

}  // namespace edged::mail
