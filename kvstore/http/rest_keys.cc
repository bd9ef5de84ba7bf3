// SPDX-License-Identifier: Apache-2.0
// The list of a namespace's keys, and the metadata of one.
#include <algorithm>
#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/kv_rules.h"
#include "kvstore/http/list_cursor.h"
#include "kvstore/http/metadata.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;
using storage::ListItem;
using storage::ListPage;

constexpr std::string_view kListOperation = "list keys";

http::Response unnamed(const Refusal& refusal) {
  return rest_failure(refusal.status, refusal.code, refusal.text);
}

struct KeysRequest {
  std::string prefix;
  std::string start_after;
  std::uint32_t limit = kListLimitMax;
};

std::variant<KeysRequest, http::Response> parse_request(const RestCall& call) {
  bool bad = false;
  KeysRequest request;
  if (const auto text = call.parameter("limit", bad)) {
    const auto limit = parse_list_limit(*text);
    if (std::holds_alternative<Refusal>(limit)) {
      return unnamed({400, 10028, "invalid limit argument"});
    }
    request.limit = std::get<std::uint32_t>(limit);
  }
  request.prefix = call.parameter("prefix", bad).value_or("");
  if (const Check refused = check_prefix(request.prefix)) {
    return rest_failure(kListOperation, *refused);
  }
  const std::string cursor = call.parameter("cursor", bad).value_or("");
  if (!cursor.empty()) {
    std::optional<std::string> key = parse_list_cursor(cursor);
    if (!key) return unnamed({400, 10041, "invalid \"list keys\" cursor"});
    request.start_after = *std::move(key);
  }
  if (bad) return rest_failure(kListOperation, Refusal{400, 10029, "invalid request"});
  return request;
}

// Up to one key more than the page holds, to know whether it is the last. The store may answer less
// than it is asked for.
asio::awaitable<Result<std::vector<ListItem>>> read_keys(RestCall& call, KeysRequest request) {
  std::vector<ListItem> items;
  const std::size_t wanted = request.limit + std::size_t{1};
  for (;;) {
    storage::ListRequest part;
    part.ns = call.ns;
    part.prefix = request.prefix;
    part.start_after = request.start_after;
    part.limit =
        static_cast<std::uint32_t>(std::min<std::size_t>(kListLimitMax, wanted - items.size()));
    auto start = [&](operations::Done<ListPage> done) {
      call.shared.operations.list(call.caller, std::move(part), std::move(done));
    };
    Result<ListPage> page = co_await await_done<ListPage>(start);
    if (!page) co_return page.error();
    std::move(page->items.begin(), page->items.end(), std::back_inserter(items));
    if (page->complete || items.size() >= wanted) co_return items;
    request.start_after = std::move(page->next_after);
  }
}

http::Response page_of(std::vector<ListItem> items, std::size_t limit) {
  const bool more = items.size() > limit;
  if (more) items.resize(limit);
  std::string result = "[";
  for (const ListItem& item : items) {
    if (result.size() > 1) result += ',';
    result.append("{\"name\":").append(write_json_string(to_utf8(item.key)));
    if (item.entry.expires_at) {
      const std::int64_t seconds = expiration_seconds(*item.entry.expires_at);
      result.append(",\"expiration\":").append(std::to_string(seconds));
    }
    if (!item.entry.metadata.empty()) {
      result.append(",\"metadata\":").append(shown_metadata(item.entry.metadata));
    }
    result += '}';
  }
  result += ']';
  std::string info = "{\"count\":";
  info.append(std::to_string(items.size())).append(",\"cursor\":\"");
  if (more) info += make_list_cursor(items.back().key);
  info += "\"}";
  return rest_success(result, info);
}

}  // namespace

RestEndpoint rest_list_keys(RestCall& call) {
  auto request = parse_request(call);
  if (auto* refused = std::get_if<http::Response>(&request)) {
    co_await rest_send(call, std::move(*refused));
    co_return;
  }
  const KeysRequest& wanted = std::get<KeysRequest>(request);
  Result<std::vector<ListItem>> items = co_await read_keys(call, wanted);
  http::Response response = items ? page_of(*std::move(items), wanted.limit)
                                  : rest_failure(kListOperation, items.error());
  co_await rest_send(call, std::move(response));
}

RestEndpoint rest_get_metadata(RestCall& call) {
  constexpr std::string_view kOperation = "metadata";
  const Checked<std::string> key = decode_key(call.path.key_segment);
  if (const auto* refused = std::get_if<Refusal>(&key)) {
    co_await rest_send(call, rest_failure(kOperation, *refused));
    co_return;
  }
  using Stream = std::shared_ptr<operations::ValueStream>;
  auto start = [&](operations::Done<Stream> done) {
    call.shared.operations.open_value(
        call.caller, call.ns, std::get<std::string>(key), std::move(done));
  };
  Result<Stream> opened = co_await await_done<Stream>(start);
  http::Response response = opened ? rest_success(shown_metadata((*opened)->entry().metadata))
                                   : rest_failure(kOperation, opened.error());
  co_await rest_send(call, std::move(response));
}

}  // namespace edged::kv_http
