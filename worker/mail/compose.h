// SPDX-License-Identifier: Apache-2.0
// From a letter and its content to the message that a transport sends: RFC 5322 headers, a text and
// an HTML part, and how to unsubscribe. The same input always gives the same bytes, so a repeated
// attempt sends an identical message. Pure; any thread.
#pragma once

#include <string>

#include "worker/mail/letter.h"
#include "worker/mail/message.h"

namespace edged::mail {

// The headers Date (when the letter was queued), Message-ID, Auto-Submitted: auto-generated, those
// of the content, and with a secret and an address of the installation List-Unsubscribe with
// one-click (RFC 8058) and a line in both parts. Without HTML the message is plain text.
// `identity` speaks for letters without `from` or `url`.
// Errors: kInvalidArgument if an address cannot be used, the content is empty, or a header of the
// content has no proper name or one that is not the content's to set.
Result<Message> compose(const Letter& letter, const Content& content, const MailIdentity& identity);

}  // namespace edged::mail
