// SPDX-License-Identifier: Apache-2.0
// One page of a namespace's keys, as both Cloudflare faces show it: full unless it is the last, and
// with the knowledge whether keys follow it. The executor's thread of the coroutine.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <vector>

#include "kvstore/operations/operations.h"

namespace edged::kv_http {

struct KeyPage {
  std::vector<storage::ListItem> items;
  bool more = false;  // live keys follow the last item
};

// `request.limit` is 1..1000. `operations` outlives the call. Errors: those of Operations::list().
boost::asio::awaitable<Result<KeyPage>> read_key_page(operations::Operations& operations,
                                                      operations::Caller caller,
                                                      storage::ListRequest request);

}  // namespace edged::kv_http
