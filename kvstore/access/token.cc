// SPDX-License-Identifier: Apache-2.0
#include "kvstore/access/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "proto/base/check.h"
#include "proto/base/hex.h"
#include "proto/base/printable.h"
#include "proto/json/write_json.h"

namespace edged::access {
namespace {

constexpr std::string_view kSecretStart = "kvt_";
constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kSecretDigits = 43;  // 62^43 > 2^256
constexpr std::size_t kIdDigits = 2 * kIdBytes;

bool is_id(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Each digit equally likely.
std::string random_digits(std::size_t count) {
  constexpr std::size_t kFair = 256 - 256 % kDigits.size();
  std::string digits;
  while (digits.size() < count) {
    for (const char c : random_bytes(count)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < kFair && digits.size() < count) digits += kDigits[byte % kDigits.size()];
    }
  }
  return digits;
}

// 1..`bytes_max` bytes of UTF-8 without control characters.
Status check_text(const std::string& what, const std::string& text, std::size_t bytes_max) {
  if (text.empty()) return {Code::kInvalidArgument, what + " is empty"};
  if (text.size() > bytes_max) {
    return {Code::kInvalidArgument,
            what + " is longer than " + std::to_string(bytes_max) + " bytes"};
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; };
  if (std::any_of(text.begin(), text.end(), is_control)) {
    return {Code::kInvalidArgument, what + " has a control character in it"};
  }
  boost::json::error_code error;
  boost::json::parse(write_json(boost::json::value(text)), error);
  if (error) return {Code::kInvalidArgument, what + " is not UTF-8"};
  return {};
}

}  // namespace

bool is_namespace_id(std::string_view text) {
  return is_id(text, 32);
}

bool Grant::allows_namespace(std::string_view ns_id) const {
  if (namespaces.empty()) return true;
  return std::any_of(namespaces.begin(), namespaces.end(), [&](const std::string& one) {
    return is_namespace_id(one) && one == ns_id;
  });
}

Status check_grant(const Grant& grant) {
  Status checked = check_text("the token's name", grant.name, kNameBytesMax);
  if (!checked.ok()) return checked;
  if (grant.scopes.empty()) {
    return {
        Code::kInvalidArgument,
        "the token has no scope; name some of read, write, delete, list, admin, metrics, queue"};
  }
  if (grant.namespaces.size() > kNamespacesMax) {
    return {Code::kInvalidArgument,
            "the token names more than " + std::to_string(kNamespacesMax) + " namespaces"};
  }
  for (std::size_t i = 0; i < grant.namespaces.size(); ++i) {
    const std::string& one = grant.namespaces[i];
    checked = check_text("a namespace of the token", one, kNamespaceBytesMax);
    if (!checked.ok()) return checked;
    if (std::find(grant.namespaces.begin(), grant.namespaces.begin() + static_cast<long>(i), one) !=
        grant.namespaces.begin() + static_cast<long>(i)) {
      return {Code::kInvalidArgument, "namespace \"" + one + "\" is named twice"};
    }
  }
  if (!grant.prefix.empty()) {
    return check_text("the token's key prefix", grant.prefix, kPrefixBytesMax);
  }
  return {};
}

Status check_new_grant(const Grant& grant) {
  Status checked = check_grant(grant);
  if (!checked.ok()) return checked;
  std::vector<std::string> texts = grant.namespaces;
  texts.insert(texts.end(), {grant.name, grant.prefix});
  for (const std::string& text : texts) {
    if (is_printable(text)) continue;
    return {Code::kInvalidArgument,
            "\"" + printable(text) + "\" has a control or bidirectional character in it"};
  }
  return {};
}

NewToken make_token(Grant grant, WallTime now) {
  KV_CHECK(check_grant(grant).ok());
  NewToken made;
  made.token.grant = std::move(grant);
  made.token.grant.id = to_hex(random_bytes(kIdBytes));
  made.token.created_at = now;
  made.secret =
      std::string(kSecretStart) + made.token.grant.id + "_" + random_digits(kSecretDigits);
  made.token.sha256 = sha256(made.secret);
  return made;
}

std::string_view id_of_secret(std::string_view secret) {
  if (secret.size() > kSecretBytesMax || !secret.starts_with(kSecretStart)) return {};
  secret.remove_prefix(kSecretStart.size());
  const std::string_view id = secret.substr(0, secret.find('_'));
  return id.size() < secret.size() && is_id(id, kIdDigits) ? id : std::string_view();
}

std::string sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  unsigned size = 0;
  const int done = ::EVP_Digest(bytes.data(),
                                bytes.size(),
                                reinterpret_cast<unsigned char*>(digest.data()),
                                &size,
                                ::EVP_sha256(),
                                nullptr);
  KV_CHECK(done == 1 && size == digest.size());
  return digest;
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         ::CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace edged::access
