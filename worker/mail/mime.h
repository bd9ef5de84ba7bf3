// SPDX-License-Identifier: Apache-2.0
// The text encodings of a mail: header fields that cannot be broken out of (RFC 5322, RFC 2047),
// quoted-printable bodies (RFC 2045), dates, address fields, and HTML escaping. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/clock.h"
#include "worker/mail/address.h"

namespace edged::mail {

// `text` as one line of valid UTF-8: each run of white space and control characters becomes one
// space, outer ones are cut off, invalid bytes become U+FFFD, and what exceeds `bytes_max` becomes
// "…".
std::string one_line(std::string_view text, std::size_t bytes_max);

// "Name: text\r\n", folded to 78 columns; encoded-words (lines of at most 76 columns) where the
// text is not plain ASCII or could not be folded. `name` is a literal of the program; `text` may be
// anything and cannot end the field.
std::string header_field(std::string_view name, std::string_view text);

// Body text with LF line ends as quoted-printable with CRLF and lines of at most 76 characters. No
// encoded line begins with "." or "From ". A last line without LF gets a line end.
std::string quoted_printable(std::string_view text);

// "Tue, 24 Nov 2026 14:33:35 +0000".
std::string mail_date(WallTime time);

// & < > " and ' as entities.
std::string html_escape(std::string_view text);

// "Name: display <bare>\r\n"; the display name quoted or encoded as it needs.
std::string address_field(std::string_view name, const Address& address);

// FNV-1a of `text` as 16 hexadecimal digits: the same on every machine, for ever.
std::string stable_hash(std::string_view text);

}  // namespace edged::mail
