// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_mail.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "proto/base/read_file.h"
#include "tools/edged/config_check.h"
#include "worker/mail/address.h"

namespace edged::config {
namespace {

constexpr std::size_t kPemBytesMax = 16 << 20;

void check_smtp(const Mail& mail, ReadContext& context) {
  const auto url = boost::urls::parse_uri(mail.url);
  const bool is_smtp = url && (url->scheme() == "smtp" || url->scheme() == "smtps");
  if (!is_smtp || url->host().empty() || url->has_query() || url->has_fragment()) {
    context.complain("mail.url",
                     "the transport \"smtp\" needs smtp://HOST[:PORT], or smtps:// for TLS from "
                     "the first byte");
  } else if (url->has_userinfo()) {
    context.complain("mail.url",
                     "holds a user. Write mail.user, and mail.password or "
                     "mail.password_file");
  } else if (url->scheme() == "smtps" && mail.tls == "off") {
    context.complain("mail.tls", "is \"off\", and mail.url begins with smtps://. Change one");
  }
  const bool has_password = !mail.password.empty() || !mail.password_file.empty();
  if (mail.user.empty() != !has_password) {
    context.complain(mail.user.empty() ? "mail.password" : "mail.user",
                     "mail.user and a password (mail.password or mail.password_file) belong "
                     "together. Write both or neither");
  }
}

void check_resend(const Mail& mail, ReadContext& context) {
  if (mail.token.empty() && mail.token_file.empty()) {
    context.complain("mail.token",
                     "is missing. The transport \"resend\" needs it, or mail.token_file");
  }
  if (!mail.url.empty() && !is_http_url(mail.url)) {
    context.complain("mail.url", "is no http:// or https:// URL. Leave it away for Resend's own");
  }
}

}  // namespace

void check_mail(const Config& config, ReadContext& context) {
  const Mail& mail = config.mail;
  if (mail.transport == "smtp") check_smtp(mail, context);
  if (mail.transport == "resend") check_resend(mail, context);
  check_secret("mail.password", mail.password, mail.password_file, context);
  check_secret("mail.token", mail.token, mail.token_file, context);
  check_secret(
      "mail.unsubscribe_secret", mail.unsubscribe_secret, mail.unsubscribe_secret_file, context);
  if (!mail.tls_ca.empty()) {
    const auto read = read_small_file(mail.tls_ca, kPemBytesMax);
    if (!read) {
      context.complain("mail.tls_ca",
                       "could not read \"" + mail.tls_ca + "\": " + read.error().message());
    }
  }
  const Result<mail::Address> sender = mail::parse_address(mail.from);
  if (!sender) {
    context.complain("mail.from",
                     sender.error().message() + ". Write ADDRESS or \"NAME <ADDRESS>\"");
  }
}

}  // namespace edged::config
