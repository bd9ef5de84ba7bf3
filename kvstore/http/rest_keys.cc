// SPDX-License-Identifier: Apache-2.0
// The list of a namespace's keys, and the metadata of one.
#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/key_page.h"
#include "kvstore/http/kv_rules.h"
#include "kvstore/http/list_cursor.h"
#include "kvstore/http/metadata.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

using storage::ListItem;

constexpr std::string_view kListOperation = "list keys";

http::Response unnamed(const Refusal& refusal) {
  return rest_failure(refusal.status, refusal.code, refusal.text);
}

std::variant<storage::ListRequest, http::Response> parse_request(const RestCall& call) {
  bool bad = false;
  storage::ListRequest request;
  request.ns = call.ns;
  request.limit = kListLimitMax;
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

http::Response answer_of(const KeyPage& page) {
  std::string result = "[";
  for (const ListItem& item : page.items) {
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
  info.append(std::to_string(page.items.size())).append(",\"cursor\":\"");
  if (page.more) info += make_list_cursor(page.items.back().key);
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
  auto& wanted = std::get<storage::ListRequest>(request);
  const Result<KeyPage> page =
      co_await read_key_page(call.shared.operations, call.caller, std::move(wanted));
  http::Response response = page ? answer_of(*page) : rest_failure(kListOperation, page.error());
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
