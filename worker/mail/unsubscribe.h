// SPDX-License-Identifier: Apache-2.0
// Links by which a reader stops all mails to an address: PUBLIC_URL/unsubscribe?a=…&s=…, where `a`
// is the address and `s` its HMAC-SHA256 under mail.unsubscribe_secret. They need no cookie and no
// account, and stay valid as long as the secret does. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace edged::mail {

inline constexpr const char* kUnsubscribePath = "/unsubscribe";

// Empty if the secret or `public_url` is missing, or that is no HTTP address.
std::string unsubscribe_link(std::string_view public_url,
                             std::string_view secret,
                             std::string_view address);

// The address that a link's `a` and `s` name; nothing if the link was not made with this secret.
// Takes the same time whatever part of `s` is wrong.
std::optional<std::string> read_unsubscribe_link(std::string_view secret,
                                                 std::string_view a,
                                                 std::string_view s);

}  // namespace edged::mail
