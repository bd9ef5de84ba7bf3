// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/key_page.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/kv_rules.h"

namespace edged::kv_http {

using storage::ListPage;

// Reads up to one key more than the page holds. The store may answer less than it is asked for.
boost::asio::awaitable<Result<KeyPage>> read_key_page(operations::Operations& operations,
                                                      operations::Caller caller,
                                                      storage::ListRequest request) {
  KeyPage page;
  const std::size_t limit = request.limit;
  for (;;) {
    const std::size_t wanted = limit + 1 - page.items.size();
    request.limit = static_cast<std::uint32_t>(std::min<std::size_t>(kListLimitMax, wanted));
    auto start = [&](operations::Done<ListPage> done) {
      operations.list(caller, request, std::move(done));
    };
    Result<ListPage> part = co_await await_done<ListPage>(start);
    if (!part) co_return part.error();
    std::move(part->items.begin(), part->items.end(), std::back_inserter(page.items));
    page.more = page.items.size() > limit;
    if (page.more) page.items.resize(limit);
    if (page.more || part->complete) co_return page;
    request.start_after = std::move(part->next_after);
  }
}

}  // namespace edged::kv_http
