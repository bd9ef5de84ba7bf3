// SPDX-License-Identifier: Apache-2.0
// Who may do what on this node: the tokens of tokens.json in memory, changed through the node or by
// reload(). Every change makes a new snapshot and a new generation; who keeps a snapshot compares
// the generation before each use (one atomic load) and takes a new one when it differs, so that a
// revoked token stops working at once. Any thread may call every method; those that change or
// reload block on disk. docs/security.md is the model.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/access/token.h"
#include "proto/base/clock.h"
#include "proto/base/status.h"

namespace edged::access {

using TokenPtr = std::shared_ptr<const Token>;

// Never changes once made.
class AccessSnapshot {
 public:
  AccessSnapshot(std::vector<Token> tokens, bool always_required, std::uint64_t generation);

  // True if a peer must show a token: there are some, or the node is to stay closed without any.
  bool required() const { return required_; }
  std::uint64_t generation() const { return generation_; }
  const std::vector<Token>& tokens() const { return tokens_; }

  // The token that has this secret. Whichever part is wrong, the answer is the same, and takes the
  // same time. Errors: kUnauthenticated.
  Result<TokenPtr> authenticate(std::string_view secret, WallTime now) const;
  // What `token` has become: the same secret, perhaps with another grant; null if it is gone.
  TokenPtr renewed(const Token& token) const;

 private:
  std::vector<Token> tokens_;
  std::map<std::string, TokenPtr, std::less<>> by_id_;
  bool required_;
  std::uint64_t generation_;
};

class AccessTable {
 public:
  struct Options {
    std::string path;              // of tokens.json; empty: no tokens, and none can be made
    bool always_required = false;  // closed even without tokens: for addresses others can reach
  };

  // Errors: those of read_token_file but kNotFound.
  static Result<std::unique_ptr<AccessTable>> open(Options options, const Clock& clock);

  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  std::shared_ptr<const AccessSnapshot> snapshot() const;
  const Clock& clock() const { return clock_; }

  // Reads the file again. After an error the table is what it was; a file that is gone is one too,
  // since it would open the node. Errors: those of read_token_file.
  Status reload();

  // Replaces the titles in the tokens' limits by ids, in the file too: `id_of` answers the id of
  // the namespace that has a title now, or nothing. Such a title stays, allows nothing, and the log
  // says so. For the start and after reload(). Errors: those of update_token_file.
  using IdOfTitle = std::function<std::optional<std::string>(const std::string& title)>;
  Status resolve_titles(const IdOfTitle& id_of);

  // Written to the file before they return. Errors: kInvalidArgument; kExists (the name); kNotFound
  // (the id); those of update_token_file.
  Result<NewToken> create(Grant grant);
  Result<Token> revoke(std::string_view id);

 private:
  AccessTable(Options options, const Clock& clock, std::vector<Token> tokens);
  void publish(std::vector<Token> tokens);

  const Options options_;
  const Clock& clock_;
  std::mutex change_mutex_;  // held from reading the file to publishing what it says
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessSnapshot> snapshot_;  // guarded by mutex_
  std::atomic<std::uint64_t> generation_{1};        // that of snapshot_
};

}  // namespace edged::access
