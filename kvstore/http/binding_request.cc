// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/binding_request.h"

#include <algorithm>
#include <utility>

#include "kvstore/http/list_cursor.h"
#include "kvstore/http/metadata.h"
#include "kvstore/http/rest_path.h"
#include "proto/http/own_host.h"
#include "proto/http/request.h"

namespace edged::kv_http {
namespace {

constexpr int kBadRequest = 10029;
constexpr std::string_view kBulkPath = "/bulk/get";
constexpr std::string_view kDefaultHost = "fake-host";
constexpr std::string_view kOwnDomain = ".kv.internal";

Refusal bad_query() {
  return {400, kBadRequest, "Could not URL-decode the query"};
}

std::string_view without_last_slash(std::string_view path) {
  return path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// The parameters of one request; broken() once any that was asked for has a bad escape.
class Query {
 public:
  explicit Query(std::string_view text) : text_(text) {}
  std::optional<std::string> find(std::string_view name) {
    return query_parameter(text_, name, broken_);
  }
  bool broken() const { return broken_; }

 private:
  std::string_view text_;
  bool broken_ = false;
};

Checked<std::string> parse_key(std::string_view path, Query& query) {
  const std::string_view segment = without_last_slash(path).substr(1);
  if (segment.find('/') != std::string_view::npos) {
    return Refusal{400, kBadRequest, "The path must be one key. Write a slash in a key as %2F"};
  }
  const std::string encoded = query.find("urlencoded").value_or("");
  if (http::equal_ignoring_case(encoded, "true")) return decode_key(segment);
  if (Check refused = check_key(segment)) return *std::move(refused);
  return std::string(segment);
}

Check read_put(const http::RequestHead& head, Query& query, WallTime now, BindingRequest& request) {
  const auto at = query.find("expiration");
  const auto ttl = query.find("expiration_ttl");
  const Checked<Expiry> expiry = parse_expiry(at, ttl, now);
  if (const auto* refused = std::get_if<Refusal>(&expiry)) return *refused;
  request.expiry = std::get<Expiry>(expiry);
  if (const auto found = head.headers.find("cf-kv-metadata"); found != head.headers.end()) {
    Checked<std::string> metadata = parse_metadata(found->second);
    if (const auto* refused = std::get_if<Refusal>(&metadata)) return *refused;
    request.metadata = std::get<std::string>(std::move(metadata));
  }
  return check_value_bytes(head.content_length.value_or(0));
}

Check read_list(Query& query, BindingRequest& request) {
  if (const auto text = query.find("key_count_limit")) {
    const Checked<std::uint32_t> limit = parse_list_limit(*text);
    if (const auto* refused = std::get_if<Refusal>(&limit)) return *refused;
    request.limit = std::get<std::uint32_t>(limit);
  }
  request.prefix = query.find("prefix").value_or("");
  if (Check refused = check_prefix(request.prefix)) return refused;
  const std::string cursor = query.find("cursor").value_or("");
  if (cursor.empty()) return std::nullopt;
  std::optional<std::string> last = parse_list_cursor(cursor);
  if (!last) return Refusal{400, 10041, "invalid \"list keys\" cursor"};
  request.start_after = *std::move(last);
  return std::nullopt;
}

std::optional<BindingCall> call_of(std::string_view method, std::string_view path) {
  const bool reads = method == "GET" || method == "HEAD";
  if (reads) return path == "/" ? BindingCall::kList : BindingCall::kGet;
  if (method == "PUT") return BindingCall::kPut;
  if (method == "DELETE") return BindingCall::kDelete;
  if (method == "POST" && without_last_slash(path) == kBulkPath) return BindingCall::kBulkRead;
  return std::nullopt;
}

}  // namespace

Checked<BindingRequest> parse_binding_request(const http::RequestHead& head, WallTime now) {
  const std::string_view path = head.target_path;
  const auto call = call_of(head.method, path);
  if (!call) return Refusal{405, kBadRequest, "Method Not Allowed"};
  BindingRequest request;
  request.call = *call;
  Query query(head.query);
  if (*call == BindingCall::kBulkRead) return request;
  if (*call == BindingCall::kList) {
    Check refused = read_list(query, request);
    if (query.broken()) return bad_query();
    if (refused) return *std::move(refused);
    return request;
  }
  Checked<std::string> key = parse_key(path, query);
  if (auto* refused = std::get_if<Refusal>(&key)) return std::move(*refused);
  request.key = std::get<std::string>(std::move(key));
  Check refused;
  if (*call == BindingCall::kPut) refused = read_put(head, query, now, request);
  if (const auto cache = query.find("cache_ttl"); cache && *call == BindingCall::kGet) {
    refused = check_cache_ttl(*cache);
  }
  if (query.broken()) return bad_query();
  if (refused) return *std::move(refused);
  return request;
}

std::string_view binding_methods(std::string_view path) {
  if (path == "/") return "GET, HEAD";
  return without_last_slash(path) == kBulkPath ? "POST" : "GET, HEAD, PUT, DELETE";
}

std::optional<std::string> namespace_in_host(std::string_view host,
                                             const std::vector<std::string>& hosts) {
  if (host == kDefaultHost || host == "localhost") return std::nullopt;
  if (host.ends_with(kOwnDomain) && host.size() > kOwnDomain.size()) {
    return std::string(host.substr(0, host.size() - kOwnDomain.size()));
  }
  for (const std::string& own : hosts) {
    if (http::equal_ignoring_case(host, own)) return std::nullopt;
    if (host.size() <= own.size() + 1) continue;
    const std::size_t dot = host.size() - own.size() - 1;
    if (host[dot] == '.' && http::equal_ignoring_case(host.substr(dot + 1), own)) {
      return std::string(host.substr(0, dot));
    }
  }
  if (host.find('.') == std::string_view::npos) return std::string(host);
  return std::nullopt;
}

bool is_binding_host(std::string_view host, const std::vector<std::string>& hosts) {
  return host == kDefaultHost || namespace_in_host(host, hosts).has_value();
}

std::optional<std::string> binding_namespace(const http::RequestHead& head,
                                             const std::vector<std::string>& hosts) {
  const auto named = head.headers.find("x-kv-namespace");
  if (named != head.headers.end() && !named->second.empty()) return named->second;
  if (!head.authority) return std::nullopt;
  const auto authority = http::parse_authority(*head.authority);
  if (!authority || authority->bracketed) return std::nullopt;
  return namespace_in_host(authority->host, hosts);
}

}  // namespace edged::kv_http
