// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/rest_api.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "kvstore/http/bulk_write.h"
#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "proto/http/bearer.h"

namespace edged::kv_http {
namespace {

namespace asio = boost::asio;

// Of any body: the largest bulk. What is refused is read up to there, because clients lose an
// answer that comes before their body is sent.
constexpr std::uint64_t kBodyBytesMax = kBulkBodyBytesMax;
constexpr std::uint64_t kDiscardBytesMax = kBulkBodyBytesMax + 4 * 1024 * 1024;
constexpr std::size_t kNamespaceIdBytes = 32;

struct Route {
  RestPlace place;
  std::string_view method;
  std::string_view operation;  // Cloudflare's name of it, for messages
  RestEndpoint (*endpoint)(RestCall&);
};

constexpr Route kRoutes[] = {
    {RestPlace::kVerifyToken, "GET", "verify token", rest_verify_token},
    {RestPlace::kUser, "GET", "get user", rest_user},
    {RestPlace::kAccounts, "GET", "list accounts", rest_accounts},
    {RestPlace::kAccount, "GET", "get account", rest_account},
    {RestPlace::kMemberships, "GET", "list memberships", rest_memberships},
    {RestPlace::kQueues, "GET", "queues", rest_queues},
    {RestPlace::kQueues, "POST", "queues", rest_queues},
    {RestPlace::kQueues, "PUT", "queues", rest_queues},
    {RestPlace::kQueues, "PATCH", "queues", rest_queues},
    {RestPlace::kQueues, "DELETE", "queues", rest_queues},
    {RestPlace::kNamespaces, "GET", "list namespaces", rest_list_namespaces},
    {RestPlace::kNamespaces, "POST", "create namespace", rest_create_namespace},
    {RestPlace::kNamespace, "GET", "get namespace", rest_get_namespace},
    {RestPlace::kNamespace, "PUT", "rename namespace", rest_rename_namespace},
    {RestPlace::kNamespace, "DELETE", "remove namespace", rest_remove_namespace},
    {RestPlace::kKeys, "GET", "list keys", rest_list_keys},
    {RestPlace::kValue, "GET", "get", rest_get_value},
    {RestPlace::kValue, "PUT", "put", rest_put_value},
    {RestPlace::kValue, "DELETE", "remove key", rest_delete_value},
    {RestPlace::kMetadata, "GET", "metadata", rest_get_metadata},
    {RestPlace::kBulk, "PUT", "bulk put", rest_bulk_put},
    {RestPlace::kBulk, "DELETE", "bulk remove keys", rest_bulk_delete},
    {RestPlace::kBulkDelete, "POST", "bulk remove keys", rest_bulk_delete},
    {RestPlace::kBulkGet, "POST", "bulk get keys", rest_bulk_get},
};

// HEAD is answered as GET; the server leaves the body out.
const Route* find_route(RestPlace place, std::string_view method) {
  if (method == "HEAD") method = "GET";
  for (const Route& route : kRoutes) {
    if (route.place == place && route.method == method) return &route;
  }
  return nullptr;
}

http::Response method_not_allowed(RestPlace place, std::string_view method) {
  std::string message("Method ");
  message.append(method).append(" not available for that URI.");
  http::Response response = rest_failure(405, 7001, message);
  std::string allow;
  for (const Route& route : kRoutes) {
    if (route.place != place) continue;
    if (!allow.empty()) allow += ", ";
    allow += route.method;
    if (route.method == "GET") allow += ", HEAD";
  }
  response.headers.emplace_back("Allow", std::move(allow));
  return response;
}

std::optional<std::string> namespace_id(std::string_view text) {
  if (text.size() != kNamespaceIdBytes) return std::nullopt;
  std::string id(text);
  for (char& c : id) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return std::nullopt;
  }
  return id;
}

}  // namespace

class RestApi::Impl {
 public:
  Impl(asio::any_io_executor executor,
       operations::Operations& operations,
       const Clock& clock,
       RestOptions options)
      : access_(options.access),
        shared_{operations,
                clock,
                std::move(options.account_id),
                options.bulk_memory_bytes_max,
                net::AsyncCondition(executor),
                false,
                BulkSlots(executor, kBulkSlots),
                std::move(options.queue_pass)} {}

  asio::awaitable<void> handle(http::Exchange& exchange) {
    Result<operations::Caller> caller = identify(exchange);
    if (!caller) {
      (void)co_await exchange.send(rest_unauthenticated());
      co_return;
    }
    RestCall call{
        shared_, exchange, *std::move(caller), parse_rest_path(exchange.head().target_path)};
    call.caller.set_owner(&exchange);
    const Route* route = find_route(call.path.place, exchange.head().method);
    std::optional<http::Response> refused = refuse(call, route);
    if (refused) {
      (void)co_await exchange.send(*std::move(refused));
      co_return;
    }
    co_await route->endpoint(call);
  }

 private:
  Result<operations::Caller> identify(const http::Exchange& exchange) const {
    constexpr auto kFace = operations::Face::kRest;
    const auto& headers = exchange.head().headers;
    const auto found = headers.find("authorization");
    const bool open = access_ == nullptr || !access_->snapshot()->required();
    if (exchange.own_peer()) return shared_.operations.trusted(kFace);
    if (found == headers.end()) {
      return Status(Code::kUnauthenticated, "there is no Authorization header");
    }
    // An open node takes any token, as clients send the one they have for Cloudflare.
    if (open) return shared_.operations.identify(kFace, std::nullopt);
    const auto bearer = http::bearer_of(headers);
    return bearer ? shared_.operations.identify(kFace, bearer)
                  : Status(Code::kUnauthenticated, "the Authorization header has no bearer token");
  }

  // Finds the namespace of the request. Returns the answer if the request is refused before its
  // endpoint runs.
  std::optional<http::Response> refuse(RestCall& call, const Route* route) const {
    const http::RequestHead& head = call.exchange.head();
    const RestPlace place = call.path.place;
    if (place == RestPlace::kUnknown) return rest_no_route(head.target_path);
    if (!call.path.account.empty() && !shared_.account_id.empty() &&
        call.path.account != shared_.account_id) {
      return rest_failure(403, 10000, "Authentication error");
    }
    if (route == nullptr) return method_not_allowed(place, head.method);
    if (call.path.ns.empty()) return std::nullopt;
    const auto id = namespace_id(call.path.ns);
    if (!id) {
      std::string message(
          "could not parse UUID from request's namespace_id: 'invalid namespace format: ");
      message.append(call.path.ns).append("'");
      return rest_failure(400, 10011, message);
    }
    const auto ns = shared_.operations.find_namespace(call.caller, *id);
    // A title may look like an id.
    if (ns && ns->id != *id) {
      return rest_failure(route->operation, Status(Code::kNamespaceNotFound, "a title"));
    }
    if (!ns) return rest_failure(route->operation, ns.error());
    call.in = *ns;
    call.ns = ns->number;
    return std::nullopt;
  }

  const access::AccessTable* access_;
  RestShared shared_;
};

RestApi::RestApi(asio::any_io_executor executor,
                 operations::Operations& operations,
                 const Clock& clock,
                 RestOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), operations, clock, std::move(options))) {}

RestApi::~RestApi() = default;

void RestApi::add_routes(http::Server& server) {
  http::RawOptions limits;
  limits.body_bytes_max = kBodyBytesMax;
  limits.discard_bytes_max = kDiscardBytesMax;
  server.route_raw(
      std::string(kRestPrefix),
      [impl = impl_](http::Exchange& exchange) { return impl->handle(exchange); },
      limits);
}

RestEndpoint rest_send(RestCall& call, http::Response response) {
  (void)co_await call.exchange.send(std::move(response));
}

}  // namespace edged::kv_http
