// SPDX-License-Identifier: Apache-2.0
// The transport that the section `mail` of the configuration asks for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "tools/edged/config.h"
#include "worker/mail/resend.h"
#include "worker/mail/smtp.h"
#include "worker/mail/transport.h"

namespace edged {

// Connects to nothing yet. `config` was checked. Destroy it before the executor's context.
std::unique_ptr<mail::Transport> make_transport(boost::asio::any_io_executor executor,
                                                const config::Config& config);

// What the two that speak to a server are made of.
mail::SmtpOptions smtp_options(const config::Mail& mail);
mail::ResendOptions resend_options(const config::Mail& mail);

// Where mails go, for a log: "maildir /var/lib/edged/worker/maildir", "smtp://mail:587".
std::string mail_destination(const config::Config& config);

// The secret of a file, as it is now, or `text`; null: neither is given.
std::function<Result<std::string>()> current_secret(const std::string& text,
                                                    const std::string& file,
                                                    const std::string& key);

}  // namespace edged
