// SPDX-License-Identifier: Apache-2.0
// The REST face: Cloudflare's REST API v4 for Workers KV below /client/v4/, so that `wrangler kv`
// and the official SDKs work against the node when their base URL is changed. It translates
// requests into operations and their answers into Cloudflare's envelopes; writes are on disk when
// they are answered. The endpoints are described in docs/rest.md. Thread: the server's executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "kvstore/http/queue_pass.h"
#include "kvstore/operations/operations.h"
#include "proto/base/clock.h"
#include "proto/http/server.h"

namespace edged::kv_http {

struct RestOptions {
  std::string account_id{};  // the only account there is; empty: any name of an account will do
  // If the node is open to everybody, requests must still carry an Authorization header, which a
  // web page in a browser cannot send here.
  const access::AccessTable* access = nullptr;  // null: no tokens
  // For the values of one bulk body, whose text may be 100 MiB.
  std::size_t bulk_memory_bytes_max = 320 * 1024 * 1024;
  QueuePass queue_pass = nullptr;  // null: there is no worker, and its queues are answered 503
};

class RestApi {
 public:
  // `operations`, `clock` and what `options` refers to outlive the object, and it outlives the
  // server that it adds its route to.
  RestApi(boost::asio::any_io_executor executor,
          operations::Operations& operations,
          const Clock& clock,
          RestOptions options);
  ~RestApi();

  // Before Server::listen().
  void add_routes(http::Server& server);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace edged::kv_http
