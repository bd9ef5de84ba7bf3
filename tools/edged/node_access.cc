// SPDX-License-Identifier: Apache-2.0
// See node_access.h.
#include "tools/edged/node_access.h"

#include <string>
#include <utility>

#include "proto/base/log.h"

namespace edged {

boost::asio::awaitable<void> tell_missing_token(net::Client& client,
                                                const config::Config& config,
                                                const Duties& duties) {
  net::KvListRequest request;
  request.limit = 1;
  const auto page = co_await client.list(config.worker_namespace_id(), std::move(request));
  if (page || page.code() != Code::kUnauthenticated) co_return;
  const std::string& file = config.worker.token_file;
  const std::string scopes =
      duties.mirror ? "read,write,delete,list,admin" : "read,write,delete,list";
  log::error("[KV] the node at " + config.node_address() +
             (file.empty() ? " wants a token: set worker.token_file"
                           : " does not take the token in worker.token_file (\"" + file + "\")") +
             ". Make a token with: kvctl token create NAME --scope " + scopes +
             ". The node said: " + page.error().message());
}

}  // namespace edged
