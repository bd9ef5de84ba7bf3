// SPDX-License-Identifier: Apache-2.0
// <data_dir>/tokens.json: the tokens of a node, with their secrets' hashes. Replaced in one step,
// mode 0600, by one writer at a time: the node and `kvctl token … --data` alike hold tokens.lock
// while they read, change and write. Blocks on disk; any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kvstore/access/token.h"

namespace edged::access {

std::string token_file_in(const std::string& data_dir);

// Errors: kNotFound (no file: no tokens); kDenied (others than its owner may read or write it);
// kInvalidArgument (malformed); kIoError. All name the path.
Result<std::vector<Token>> read_token_file(const std::string& path);

// Reads the tokens (none if there is no file), lets `change` change them, writes them. Returns what
// is in the file afterwards. Errors: as read_token_file; what `change` returns, and then the file
// is untouched; kBusy (another writer held the lock for 5 s); kTooLarge (over 1,000 tokens).
using ChangeTokens = std::function<Status(std::vector<Token>&)>;
Result<std::vector<Token>> update_token_file(const std::string& path, const ChangeTokens& change);

// Changes for update_token_file. Errors: kExists (the name); kNotFound (the id).
Status add_token(std::vector<Token>& tokens, Token token);
Status remove_token(std::vector<Token>& tokens, std::string_view id);

}  // namespace edged::access
