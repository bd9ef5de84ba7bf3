// SPDX-License-Identifier: Apache-2.0
// Signatures of HTTP requests as Standard Webhooks 1.0 has them (standardwebhooks.com), scheme
// "v1": HMAC-SHA256 over "ID.TIMESTAMP.BODY". The receiver, who has the same secret, knows by it
// that the request is ours, unchanged and not old. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/status.h"

namespace edged::http {

// The key of a secret: base64 of 24 to 64 bytes, with or without "whsec_" before it.
// Errors: kInvalidArgument; the message does not hold the secret.
Result<std::string> parse_webhook_secret(std::string_view secret);

// The keys of 1 to 4 secrets separated by blanks: the new one and older ones, while receivers
// change from one to the other. Errors: as above, and kInvalidArgument for none or more.
Result<std::vector<std::string>> parse_webhook_secrets(std::string_view secrets);

// One signature of the header webhook-signature: "v1,BASE64". `key` as parse_webhook_secret() gives
// it.
std::string sign_webhook(std::string_view key,
                         std::string_view id,
                         std::int64_t timestamp_seconds,
                         std::string_view body);

// The headers webhook-id, webhook-timestamp and webhook-signature, which has a signature of each
// key, separated by blanks.
std::vector<std::pair<std::string, std::string>> webhook_headers(
    const std::vector<std::string>& keys,
    std::string_view id,
    std::int64_t timestamp_seconds,
    std::string_view body);

}  // namespace edged::http
