// SPDX-License-Identifier: Apache-2.0
// One request of the REST face on its way to an endpoint, and the endpoints. Internal to the face.
// Every endpoint is a coroutine that answers the request; what it is given outlives it. Thread: the
// server's executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/http/bulk_slots.h"
#include "kvstore/http/queue_pass.h"
#include "kvstore/http/rest_path.h"
#include "kvstore/operations/operations.h"
#include "proto/base/clock.h"
#include "proto/http/exchange.h"
#include "proto/net/condition.h"

namespace edged::kv_http {

// What all requests share.
struct RestShared {
  operations::Operations& operations;
  const Clock& clock;
  const std::string account_id;  // empty: any
  const std::size_t bulk_memory_bytes_max;
  net::AsyncCondition bulk_free;
  bool bulk_busy = false;  // one large JSON body at a time
  BulkSlots bulk_answers;
  const QueuePass queue_pass = nullptr;  // null: there is no worker
  std::size_t queue_calls = 0;
};

struct RestCall {
  RestShared& shared;
  http::Exchange& exchange;
  operations::Caller caller;
  RestPath path;
  // Of the places below a namespace.
  storage::NamespaceNumber ns{};
  storage::Namespace in{};

  // The parameter, unless it is absent. `bad` becomes true if an escape in it is broken.
  std::optional<std::string> parameter(std::string_view name, bool& bad) const {
    return query_parameter(exchange.head().query, name, bad);
  }
};

using RestEndpoint = boost::asio::awaitable<void>;

// rest_account.cc: what `wrangler whoami` asks.
RestEndpoint rest_verify_token(RestCall& call);
RestEndpoint rest_user(RestCall& call);
RestEndpoint rest_accounts(RestCall& call);
RestEndpoint rest_account(RestCall& call);
RestEndpoint rest_memberships(RestCall& call);

// rest_namespaces.cc
RestEndpoint rest_list_namespaces(RestCall& call);
RestEndpoint rest_create_namespace(RestCall& call);
RestEndpoint rest_get_namespace(RestCall& call);
RestEndpoint rest_rename_namespace(RestCall& call);
RestEndpoint rest_remove_namespace(RestCall& call);

// rest_keys.cc
RestEndpoint rest_list_keys(RestCall& call);
RestEndpoint rest_get_metadata(RestCall& call);

// rest_values.cc, rest_put.cc
RestEndpoint rest_get_value(RestCall& call);
RestEndpoint rest_put_value(RestCall& call);
RestEndpoint rest_delete_value(RestCall& call);

// rest_bulk.cc
RestEndpoint rest_bulk_put(RestCall& call);
RestEndpoint rest_bulk_delete(RestCall& call);
RestEndpoint rest_bulk_get(RestCall& call);

// rest_queues.cc
RestEndpoint rest_queues(RestCall& call);

// Sends the answer; a peer that is gone needs no more attention.
RestEndpoint rest_send(RestCall& call, http::Response response);

}  // namespace edged::kv_http
