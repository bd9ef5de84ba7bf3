// SPDX-License-Identifier: Apache-2.0
// Tokens as JSON: in tokens.json (docs/security.md) and on the wire (docs/protocol.md,
// TOKEN_CREATE). Boost.JSON stays in token_json.cc. Unknown members are errors: a misspelt limit
// must not become no limit. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvstore/access/token.h"

namespace edged::access {

// The whole file. Errors of reading: kInvalidArgument, with what is wrong and in which token.
std::string render_file(const std::vector<Token>& tokens);
Result<std::vector<Token>> parse_file(std::string_view text);

// {"name","scopes":["read"],"namespaces":[],"prefix":"","expires_in_ms":1000}; the last three may
// be absent. `now` is what the expiry counts from. Errors: kInvalidArgument.
Result<Grant> parse_request(std::string_view text, WallTime now);
std::string render_request(const Grant& grant, WallTime now);

// {"id","name","scopes","namespaces","prefix","created_at_ms","expires_at_ms"}: what may be shown.
std::string render_token(const Token& token);
// The same with "secret".
std::string render_new_token(const NewToken& made);
// {"tokens":[…]} with those behind `after_id`, as many as fit `bytes_max`, ordered by id; `more`
// becomes the id to go on from, empty at the end.
std::string render_list(const std::vector<Token>& tokens,
                        std::string_view after_id,
                        std::size_t limit,
                        std::size_t bytes_max,
                        std::string& more);

// {"id":"…"}. Errors: kInvalidArgument.
std::string render_id(std::string_view id);
Result<std::string> parse_id(std::string_view text);

// What the three operations answer, read by clients; members of later versions are passed over.
// Errors: kInvalidArgument.
Result<Token> parse_token(std::string_view text);  // sha256 empty
Result<NewToken> parse_new_token(std::string_view text);
Result<std::vector<Token>> parse_list(std::string_view text);

}  // namespace edged::access
