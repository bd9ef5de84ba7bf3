// SPDX-License-Identifier: Apache-2.0
// Namespaces: list, create, get, rename, remove.
#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "kvstore/http/await_done.h"
#include "kvstore/http/bounded_json.h"
#include "kvstore/http/rest_body.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "proto/base/numbers.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using operations::Nothing;
using storage::Namespace;

constexpr std::size_t kBodyBytesMax = 64 * 1024;
constexpr std::size_t kBodyMemoryMax = 2 * 1024 * 1024;
constexpr std::uint64_t kPerPageDefault = 20;
constexpr std::uint64_t kPerPageMax = 1000;

json::object object_of(const Namespace& ns) {
  return {{"id", ns.id}, {"title", ns.title}, {"supports_url_encoding", true}};
}

struct PageRequest {
  std::uint64_t page = 1;
  std::uint64_t per_page = kPerPageDefault;
  bool by_title = false;
  bool descending = false;
};

Checked<PageRequest> parse_page(const RestCall& call) {
  bool bad = false;
  PageRequest request;
  if (const auto text = call.parameter("page", bad)) {
    const auto page = parse_uint64(*text, 1, UINT32_MAX);
    if (!page) return Refusal{400, 10007, "malformed page argument"};
    request.page = *page;
  }
  if (const auto text = call.parameter("per_page", bad)) {
    const auto per_page = parse_uint64(*text, 1, kPerPageMax);
    if (!per_page) return Refusal{400, 10008, "malformed per_page argument"};
    request.per_page = *per_page;
  }
  const std::string order = call.parameter("order", bad).value_or("id");
  if (order != "id" && order != "title") return Refusal{400, 10043, "invalid order"};
  const std::string direction = call.parameter("direction", bad).value_or("asc");
  if (direction != "asc" && direction != "desc") return Refusal{400, 10044, "invalid direction"};
  if (bad) return Refusal{400, 10029, "invalid request"};
  request.by_title = order == "title";
  request.descending = direction == "desc";
  return request;
}

http::Response page_of(std::vector<Namespace> all, const PageRequest& request) {
  const auto text = [&](const Namespace& ns) -> const std::string& {
    return request.by_title ? ns.title : ns.id;
  };
  std::sort(all.begin(), all.end(), [&](const Namespace& left, const Namespace& right) {
    return request.descending ? text(right) < text(left) : text(left) < text(right);
  });
  const std::uint64_t total = all.size();
  const std::uint64_t begin = std::min(total, (request.page - 1) * request.per_page);
  const std::uint64_t end = std::min(total, begin + request.per_page);
  json::array result;
  for (std::uint64_t i = begin; i < end; ++i) result.push_back(object_of(all[i]));
  json::object info{{"page", request.page},
                    {"per_page", request.per_page},
                    {"count", end - begin},
                    {"total_count", total},
                    {"total_pages", (total + request.per_page - 1) / request.per_page}};
  return rest_success(write_json(result), write_json(info));
}

// The title in a body {"title":"…"}. Other members, as jurisdiction, mean nothing to one node.
Checked<std::string> title_of(std::string_view body) {
  BoundedJson parser(kBodyMemoryMax);
  const Refusal missing{400, 10019, "request is missing a title definition"};
  if (!parser.feed(body).ok()) return Refusal{400, 10029, "invalid request"};
  const auto document = parser.finish();
  if (!document) return Refusal{400, 10029, "invalid request"};
  const json::object* object = (*document)->if_object();
  const json::value* title = object == nullptr ? nullptr : object->if_contains("title");
  const json::string* text = title == nullptr ? nullptr : title->if_string();
  if (text == nullptr || text->empty()) return missing;
  return std::string(text->data(), text->size());
}

// The title that the request wants, or the answer to one that has none.
asio::awaitable<std::variant<std::string, http::Response>> read_title(RestCall& call,
                                                                      std::string_view operation) {
  Result<std::string> body = co_await read_whole_body(call.exchange, kBodyBytesMax);
  if (!body) co_return rest_failure(operation, body.error());
  Checked<std::string> title = title_of(*body);
  if (const auto* refused = std::get_if<Refusal>(&title)) {
    // This one is known without the operation's name before it.
    if (refused->code == 10019) co_return rest_failure(400, 10019, refused->text);
    co_return rest_failure(operation, *refused);
  }
  co_return std::get<std::string>(std::move(title));
}

}  // namespace

RestEndpoint rest_list_namespaces(RestCall& call) {
  constexpr std::string_view kOperation = "list namespaces";
  const Checked<PageRequest> request = parse_page(call);
  if (const auto* refused = std::get_if<Refusal>(&request)) {
    co_await rest_send(call, rest_failure(refused->status, refused->code, refused->text));
    co_return;
  }
  Result<std::vector<Namespace>> all = call.shared.operations.namespaces(call.caller);
  http::Response response = all ? page_of(*std::move(all), std::get<PageRequest>(request))
                                : rest_failure(kOperation, all.error());
  co_await rest_send(call, std::move(response));
}

RestEndpoint rest_create_namespace(RestCall& call) {
  constexpr std::string_view kOperation = "create namespace";
  auto title = co_await read_title(call, kOperation);
  if (auto* refused = std::get_if<http::Response>(&title)) {
    co_await rest_send(call, std::move(*refused));
    co_return;
  }
  auto start = [&](operations::Done<Namespace> done) {
    call.shared.operations.create_namespace(
        call.caller, std::get<std::string>(std::move(title)), "", std::move(done));
  };
  Result<Namespace> made = co_await await_done<Namespace>(start);
  http::Response response =
      made ? rest_success(write_json(object_of(*made))) : rest_failure(kOperation, made.error());
  co_await rest_send(call, std::move(response));
}

RestEndpoint rest_get_namespace(RestCall& call) {
  co_await rest_send(call, rest_success(write_json(object_of(call.in))));
}

RestEndpoint rest_rename_namespace(RestCall& call) {
  constexpr std::string_view kOperation = "rename namespace";
  auto title = co_await read_title(call, kOperation);
  if (auto* refused = std::get_if<http::Response>(&title)) {
    co_await rest_send(call, std::move(*refused));
    co_return;
  }
  auto start = [&](operations::Done<Nothing> done) {
    call.shared.operations.rename_namespace(
        call.caller, call.ns, std::get<std::string>(title), std::move(done));
  };
  Result<Nothing> renamed = co_await await_done<Nothing>(start);
  call.in.title = std::get<std::string>(std::move(title));
  http::Response response = renamed ? rest_success(write_json(object_of(call.in)))
                                    : rest_failure(kOperation, renamed.error());
  co_await rest_send(call, std::move(response));
}

RestEndpoint rest_remove_namespace(RestCall& call) {
  auto start = [&](operations::Done<Nothing> done) {
    call.shared.operations.delete_namespace(call.caller, call.ns, std::move(done));
  };
  Result<Nothing> removed = co_await await_done<Nothing>(start);
  http::Response response =
      removed ? rest_success("null") : rest_failure("remove namespace", removed.error());
  co_await rest_send(call, std::move(response));
}

}  // namespace edged::kv_http
