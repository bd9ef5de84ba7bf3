// SPDX-License-Identifier: Apache-2.0
// Mail addresses as people write them in a configuration file or in auth.users.email, checked and
// brought into the form that SMTP takes. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::mail {

struct Address {
  std::string display_name;  // may be empty
  std::string bare;          // "notify@example.org", ASCII
  std::string domain;        // "example.org", lower case, ASCII
};

// Takes one address: "a@b.example" or "Name <a@b.example>". Surrounding white space is cut off. An
// internationalised domain becomes its ASCII form ("bücher.example" is "xn--bcher-kva.example").
// Errors: kInvalidArgument with the reason: no address or several, control characters, a part left
// or right of '@' that SMTP does not take (RFC 5321, 4.1.2), a quoted or non-ASCII local part, an
// IP address for a domain, a local part above 64 bytes, a label above 63, an address above 254.
Result<Address> parse_address(std::string_view text);

}  // namespace edged::mail
