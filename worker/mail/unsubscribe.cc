// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/unsubscribe.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "proto/base/check.h"
#include "proto/base/hex.h"
#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

constexpr std::size_t kAddressBytesMax = 254;
constexpr std::size_t kUrlBytesMax = 300;  // a header line has at most 998

std::string sign(std::string_view secret, std::string_view address) {
  std::string text("edged unsubscribe\n");
  text.append(address);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  KV_CHECK(::HMAC(EVP_sha256(),
                  secret.data(),
                  static_cast<int>(secret.size()),
                  reinterpret_cast<const unsigned char*>(text.data()),
                  text.size(),
                  digest.data(),
                  &size) != nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

bool is_usable(std::string_view url) {
  const bool is_http = url.starts_with("https://") || url.starts_with("http://");
  return is_http && url.size() <= kUrlBytesMax &&
         url.find_first_of("<>\" \t\r\n?#") == std::string_view::npos;
}

}  // namespace

std::string unsubscribe_link(std::string_view public_url,
                             std::string_view secret,
                             std::string_view address) {
  while (public_url.ends_with('/')) public_url.remove_suffix(1);
  if (secret.empty() || !is_usable(public_url)) return {};
  if (address.size() > kAddressBytesMax) return {};
  std::string link(public_url);
  link.append(kUnsubscribePath).append("?a=").append(to_hex(address));
  return link.append("&s=").append(sign(secret, address));
}

std::optional<std::string> read_unsubscribe_link(std::string_view secret,
                                                 std::string_view a,
                                                 std::string_view s) {
  if (secret.empty() || a.size() > 2 * kAddressBytesMax) return std::nullopt;
  std::optional<std::string> address = from_hex(a);
  if (!address || address->empty()) return std::nullopt;
  const std::string wanted = sign(secret, *address);
  if (s.size() != wanted.size()) return std::nullopt;
  if (CRYPTO_memcmp(wanted.data(), s.data(), wanted.size()) != 0) return std::nullopt;
  return address;
}

}  // namespace edged::mail
