// SPDX-License-Identifier: Apache-2.0
// See webhook.h.
#include "worker/http/webhook.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "proto/base/base64.h"
#include "proto/base/check.h"

namespace edged::http {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kKeyBytesMin = 24;
constexpr std::size_t kKeyBytesMax = 64;
constexpr std::size_t kSecretsMax = 4;

}  // namespace

Result<std::string> parse_webhook_secret(std::string_view secret) {
  if (secret.starts_with(kPrefix)) secret.remove_prefix(kPrefix.size());
  std::optional<std::string> key = from_base64(secret);
  if (key && key->size() >= kKeyBytesMin && key->size() <= kKeyBytesMax) return *std::move(key);
  return Status(Code::kInvalidArgument,
                "is not base64 of 24 to 64 bytes (\"whsec_\" may stand before it). Make a secret "
                "with \"openssl rand -base64 32\"");
}

Result<std::vector<std::string>> parse_webhook_secrets(std::string_view secrets) {
  std::vector<std::string> keys;
  for (;;) {
    const std::size_t begin = secrets.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    secrets.remove_prefix(begin);
    const std::size_t end = std::min(secrets.find_first_of(" \t"), secrets.size());
    Result<std::string> key = parse_webhook_secret(secrets.substr(0, end));
    if (!key) return key.error();
    keys.push_back(std::move(*key));
    secrets.remove_prefix(end);
  }
  if (keys.empty()) return parse_webhook_secret("").error();
  if (keys.size() > kSecretsMax) {
    return Status(Code::kInvalidArgument, "has more than 4 secrets");
  }
  return keys;
}

std::string sign_webhook(std::string_view key,
                         std::string_view id,
                         std::int64_t timestamp_seconds,
                         std::string_view body) {
  std::string signed_text(id);
  signed_text += '.';
  signed_text += std::to_string(timestamp_seconds);
  signed_text += '.';
  signed_text += body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  KV_CHECK(::HMAC(EVP_sha256(),
                  key.data(),
                  static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(signed_text.data()),
                  signed_text.size(),
                  digest.data(),
                  &size) != nullptr);
  std::string value = "v1,";
  value += to_base64({reinterpret_cast<const char*>(digest.data()), size});
  return value;
}

std::vector<std::pair<std::string, std::string>> webhook_headers(
    const std::vector<std::string>& keys,
    std::string_view id,
    std::int64_t timestamp_seconds,
    std::string_view body) {
  std::string signatures;
  for (const std::string& key : keys) {
    if (!signatures.empty()) signatures += ' ';
    signatures += sign_webhook(key, id, timestamp_seconds, body);
  }
  return {{"webhook-id", std::string(id)},
          {"webhook-timestamp", std::to_string(timestamp_seconds)},
          {"webhook-signature", std::move(signatures)}};
}

}  // namespace edged::http
