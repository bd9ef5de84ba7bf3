// SPDX-License-Identifier: Apache-2.0
// `edged mail test ADDRESS`: one message through the configured transport, and what the other side
// said.
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/base/hex.h"
#include "proto/base/log.h"
#include "proto/base/printable.h"
#include "proto/json/write_json.h"
#include "proto/net/spawn.h"
#include "tools/edged/commands.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"
#include "tools/edged/mail_transport.h"
#include "worker/mail/address.h"
#include "worker/mail/mime.h"

namespace edged {
namespace {

using Outcome = mail::Delivery::Outcome;

struct MailArguments {
  Flags flags;
  std::string address;
  bool json = false;
};

constexpr const char* kText =
    "This is a test of the mail settings of edged (\"edged mail test\").\n"
    "That you read it shows that mails leave the machine.\n";

mail::Message test_message(const config::Config& config,
                           const mail::Address& from,
                           const mail::Address& to) {
  mail::Message message;
  message.message_id = "test." + to_hex(random_bytes(12)) + "@" + from.domain;
  message.sender = from.bare;
  message.recipient = to.bare;
  message.from = config.mail.from;
  message.subject = "Test mail of edged";
  message.text = kText;
  message.headers = {{"Auto-Submitted", "auto-generated"}};
  std::string& content = message.content;
  content = mail::address_field("From", from);
  content += mail::address_field("To", mail::Address{"", to.bare, ""});
  content += mail::header_field("Subject", message.subject);
  content.append("Date: ").append(mail::mail_date(SystemClock().wall_now())).append("\r\n");
  content.append("Message-ID: <").append(message.message_id).append(">\r\n");
  content +=
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
  content += mail::quoted_printable(kText);
  return message;
}

int exit_code_for(Outcome outcome) {
  if (outcome == Outcome::kAccepted) return kExitDone;
  if (outcome == Outcome::kMisconfigured) return kExitUsage;
  return outcome == Outcome::kTemporary || outcome == Outcome::kUnknown ? kExitUnavailable
                                                                        : kExitFailed;
}

std::string advice(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAccepted:
      return "accepted";
    case Outcome::kTemporary:
      return "not accepted now; a worker would try again";
    case Outcome::kAddressBad:
      return "refused: nothing can be sent to this address";
    case Outcome::kMessageBad:
      return "refused: the other side does not take this message";
    case Outcome::kUnknown:
      return "no answer: the message may have been accepted; a worker would send it again";
    case Outcome::kMisconfigured:
      break;
  }
  return "refused: the section \"mail\" of the configuration, or the other side's, must be changed";
}

void print(const config::Config& config,
           const mail::Message& message,
           const mail::Delivery& delivery,
           bool json) {
  const std::string ids = delivery.provider_ids.empty() ? "" : delivery.provider_ids[0];
  if (json) {
    boost::json::object object;
    object["to"] = message.recipient;
    object["through"] = mail_destination(config);
    object["message_id"] = message.message_id;
    object["outcome"] = std::string(mail::to_string(delivery.outcome));
    object["detail"] = delivery.detail;
    object["provider_id"] = ids.empty() ? boost::json::value() : boost::json::value(ids);
    object["conversation"] = delivery.conversation;
    std::printf("%s\n", write_json(object).c_str());
    return;
  }
  if (delivery.outcome != Outcome::kAccepted) {
    std::printf("%s", printable_lines(delivery.conversation).c_str());
  }
  std::printf("%s: %s\n", mail_destination(config).c_str(), advice(delivery.outcome).c_str());
  if (!delivery.detail.empty()) std::printf("answer: %s\n", printable(delivery.detail).c_str());
  if (!ids.empty()) std::printf("provider's id: %s\n", printable(ids).c_str());
  std::printf("Message-ID: <%s>\n", message.message_id.c_str());
}

int test_mail(const MailArguments& arguments) {
  const auto config = load_or_report(arguments.flags, "mail test", config::Scope::kMail);
  if (!config) return kExitUsage;
  const Result<mail::Address> from = mail::parse_address(config->mail.from);
  const Result<mail::Address> to = mail::parse_address(arguments.address);
  if (!from || !to) {
    log::print("edged mail test: " + (from ? to : from).error().message());
    return kExitUsage;
  }
  boost::asio::io_context io{1};
  const std::unique_ptr<mail::Transport> transport = make_transport(io.get_executor(), *config);
  const Status ready = transport->start();
  if (!ready.ok()) {
    log::print("edged mail test: " + ready.message());
    return exit_code_of(ready.code());
  }
  const mail::Message message = test_message(*config, *from, *to);
  mail::Parcel parcel;
  parcel.key = message.message_id;
  parcel.messages.push_back(message);
  parcel.wants_conversation = true;
  parcel.frozen = transport->freeze(parcel.messages);
  auto work = transport->deliver(std::move(parcel), mail::Attempt::kFirst);
  const mail::Delivery delivery = net::run_until_done(io, std::move(work));
  print(*config, message, delivery, arguments.json);
  return exit_code_for(delivery.outcome);
}

}  // namespace

void add_mail_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<MailArguments>();
  CLI::App* mail =
      program.add_subcommand("mail", "Try the mail settings, and the addresses that get no mails");
  mail->require_subcommand(1);
  add_suppress_commands(*mail, exit_code);
  CLI::App* command = mail->add_subcommand(
      "test", "Send one message; print what the other side says, on failure all of it");
  command->add_option("ADDRESS", arguments->address, "Whom to send it to")->required();
  command->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] { exit_code = test_mail(*arguments); });
}

}  // namespace edged
