// SPDX-License-Identifier: Apache-2.0
// kvstore/access: tokens.json, and the JSON of the token operations.
#include "kvstore/access/token_json.h"
#include "proto/base/check.h"
#include "tests/fuzz/targets.h"

namespace edged::fuzz {

void fuzz_token_file(std::string_view bytes) {
  const auto tokens = access::parse_file(bytes);
  if (!tokens) return;
  KV_CHECK(tokens->size() <= access::kTokensMax);
  for (const access::Token& token : *tokens) {
    KV_CHECK(access::check_grant(token.grant).ok());
    KV_CHECK(token.sha256.size() == 32);
  }
  const std::string rendered = access::render_file(*tokens);
  const auto again = access::parse_file(rendered);
  KV_CHECK(again && access::render_file(*again) == rendered);
}

void fuzz_token_messages(std::string_view bytes) {
  const WallTime now = from_unix_ms(1'700'000'000'000);
  if (const auto grant = access::parse_request(bytes, now)) {
    KV_CHECK(access::check_grant(*grant).ok());
    const std::string rendered = access::render_request(*grant, now);
    const auto again = access::parse_request(rendered, now);
    KV_CHECK(again && access::render_request(*again, now) == rendered);
  }
  if (const auto id = access::parse_id(bytes)) {
    const auto again = access::parse_id(access::render_id(*id));
    KV_CHECK(again && *again == *id);
  }
  if (const auto token = access::parse_token(bytes)) {
    const std::string rendered = access::render_token(*token);
    const auto again = access::parse_token(rendered);
    KV_CHECK(again && access::render_token(*again) == rendered);
  }
  if (const auto made = access::parse_new_token(bytes)) {
    const std::string rendered = access::render_new_token(*made);
    const auto again = access::parse_new_token(rendered);
    KV_CHECK(again && access::render_new_token(*again) == rendered);
  }
  (void)access::parse_list(bytes).has_value();
  const std::string_view id = access::id_of_secret(bytes);
  KV_CHECK(id.empty() || (id.size() == 16 && bytes.size() <= access::kSecretBytesMax));
}

}  // namespace edged::fuzz
