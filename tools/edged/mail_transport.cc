// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/mail_transport.h"

#include <utility>

#include "proto/base/secret_file.h"
#include "worker/http/http_client.h"
#include "worker/mail/maildir.h"
#include "worker/mail/rate_limited.h"

namespace edged {

mail::SmtpOptions smtp_options(const config::Mail& mail) {
  mail::SmtpOptions options;
  options.url = mail.url;
  options.user = mail.user;
  options.password = current_secret(mail.password, mail.password_file, "mail.password_file");
  options.requires_tls =
      mail.tls == "auto" ? !mail::is_loopback_url(mail.url) : mail.tls == "required";
  options.ca_file = mail.tls_ca;
  options.connections_max = mail.concurrency;
  return options;
}

mail::ResendOptions resend_options(const config::Mail& mail) {
  mail::ResendOptions options;
  if (!mail.url.empty()) options.url = mail.url;
  options.token = current_secret(mail.token, mail.token_file, "mail.token_file");
  options.ca_file = mail.tls_ca;
  return options;
}

namespace {

std::unique_ptr<mail::Transport> make_bare(boost::asio::any_io_executor executor,
                                           const config::Config& config) {
  if (config.mail.transport == "smtp") {
    return std::make_unique<mail::SmtpTransport>(smtp_options(config.mail));
  }
  if (config.mail.transport == "resend") {
    return std::make_unique<mail::ResendTransport>(std::move(executor),
                                                   resend_options(config.mail));
  }
  return std::make_unique<mail::MaildirTransport>(config.maildir_path());
}

}  // namespace

std::unique_ptr<mail::Transport> make_transport(boost::asio::any_io_executor executor,
                                                const config::Config& config) {
  std::unique_ptr<mail::Transport> bare = make_bare(std::move(executor), config);
  if (config.mail.rate == 0) return bare;
  return std::make_unique<mail::RateLimitedTransport>(std::move(bare), config.mail.rate);
}

std::string mail_destination(const config::Config& config) {
  if (config.mail.transport == "maildir") return "maildir " + config.maildir_path();
  const bool is_usual = config.mail.transport == "resend" && config.mail.url.empty();
  return http::printable_url(is_usual ? mail::ResendOptions().url : config.mail.url);
}

std::function<Result<std::string>()> current_secret(const std::string& text,
                                                    const std::string& file,
                                                    const std::string& key) {
  if (!file.empty()) {
    const auto secret = std::make_shared<SecretFile>(file, key);
    return [secret] { return secret->get(); };
  }
  if (text.empty()) return nullptr;
  return [text] { return Result<std::string>(text); };
}

}  // namespace edged
