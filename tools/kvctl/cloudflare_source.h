// SPDX-License-Identifier: Apache-2.0
// Reads a KV namespace through Cloudflare's REST API, or from a server that speaks it (an edged
// node does). Asks again after 429, 5xx and lost connections, with the pause that Retry-After names
// or a growing one. Coroutines of one thread; several calls may be under way at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/status.h"
#include "proto/net/client.h"
#include "worker/http/http_client.h"

namespace edged::kvctl {

// Keys that one bulk/get may name.
inline constexpr std::size_t kSourceGroupKeysMax = 100;

struct SourceOptions {
  std::string api;  // "https://…/client/v4", without a slash at its end
  std::string account, ns;
  std::string token;
  Backoff::Options pauses{.first = std::chrono::milliseconds(500),
                          .max = std::chrono::milliseconds(60'000),
                          .jitter = Jitter::kHalf};
};

struct SourceKey {
  std::string name;
  std::string metadata{};  // JSON; empty: none
  std::optional<WallTime> expires_at{};
};

struct SourcePage {
  std::vector<SourceKey> keys;
  std::string cursor{};  // empty: the last page
};

class CloudflareSource {
 public:
  CloudflareSource(boost::asio::any_io_executor executor, SourceOptions options);

  // Errors: kDenied: the token is not accepted; kNamespaceNotFound; kStale: the cursor is not
  // accepted (any more); kUnavailable, kDeadlineExceeded; kInvalidArgument: another refusal;
  // kCorruption: no answer of this API.
  boost::asio::awaitable<Result<SourcePage>> list(std::string prefix, std::string cursor);

  // The entries of at most kSourceGroupKeysMax keys; those that are gone are left out. Values that
  // are not text are read one by one. Errors as above.
  boost::asio::awaitable<Result<std::vector<net::PutItem>>> read(std::vector<SourceKey> keys);

 private:
  boost::asio::awaitable<Result<http::HttpAnswer>> perform(http::HttpRequest request);
  boost::asio::awaitable<Result<std::optional<net::PutItem>>> read_one(SourceKey key);
  http::HttpRequest request(std::string method, const std::string& path) const;

  const boost::asio::any_io_executor executor_;
  const SourceOptions options_;
  http::HttpClient client_;
  bool reached_ = false;  // an answer has come: the address is right
};

}  // namespace edged::kvctl
