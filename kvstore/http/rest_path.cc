// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/rest_path.h"

#include <utility>
#include <vector>

#include "proto/http/request.h"

namespace edged::kv_http {
namespace {

// Of "/accounts/ID/storage/kv/namespaces/NS/bulk/delete", the longest there is. A queue's paths may
// be longer; all of them mean the same place.
constexpr std::size_t kSegmentsMax = 16;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  for (;;) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos || segments.size() > kSegmentsMax) return segments;
    path.remove_prefix(slash + 1);
  }
}

using Segments = std::vector<std::string_view>;

// Below /accounts/ID/storage/kv/namespaces/NS: what follows from segment `at` on.
RestPlace place_in_namespace(const Segments& segments, std::size_t at, RestPath& path) {
  const std::size_t count = segments.size() - at;
  if (count == 0) return RestPlace::kNamespace;
  const std::string_view first = segments[at];
  if (count == 1) {
    if (first == "keys") return RestPlace::kKeys;
    return first == "bulk" ? RestPlace::kBulk : RestPlace::kUnknown;
  }
  if (count != 2) return RestPlace::kUnknown;
  const std::string_view second = segments[at + 1];
  if (first == "values" || first == "metadata") {
    path.key_segment = second;
    return first == "values" ? RestPlace::kValue : RestPlace::kMetadata;
  }
  if (first != "bulk") return RestPlace::kUnknown;
  if (second == "delete") return RestPlace::kBulkDelete;
  return second == "get" ? RestPlace::kBulkGet : RestPlace::kUnknown;
}

RestPlace place_in_account(const Segments& segments, RestPath& path) {
  if (segments.size() == 2) return RestPlace::kAccount;
  if (segments[2] == "queues") return RestPlace::kQueues;
  if (segments.size() < 5 || segments[2] != "storage" || segments[3] != "kv" ||
      segments[4] != "namespaces") {
    return RestPlace::kUnknown;
  }
  if (segments.size() == 5) return RestPlace::kNamespaces;
  std::optional<std::string> ns = http::percent_decode(segments[5], false);
  if (!ns || ns->empty()) return RestPlace::kUnknown;
  path.ns = *std::move(ns);
  return place_in_namespace(segments, 6, path);
}

RestPlace place_of_user(const Segments& segments) {
  if (segments.size() == 1) return RestPlace::kUser;
  const bool verify = segments.size() == 3 && segments[1] == "tokens" && segments[2] == "verify";
  return verify ? RestPlace::kVerifyToken : RestPlace::kUnknown;
}

}  // namespace

RestPath parse_rest_path(std::string_view path) {
  RestPath result;
  if (path.substr(0, kRestPrefix.size()) != kRestPrefix) return result;
  const Segments segments = split(path.substr(kRestPrefix.size()));
  if (segments.front() == "user") {
    result.place = place_of_user(segments);
  } else if (segments.front() == "memberships" && segments.size() == 1) {
    result.place = RestPlace::kMemberships;
  } else if (segments.front() == "accounts" && segments.size() == 1) {
    result.place = RestPlace::kAccounts;
  } else if (segments.front() == "accounts") {
    std::optional<std::string> account = http::percent_decode(segments[1], false);
    if (!account || account->empty()) return result;
    result.account = *std::move(account);
    result.place = place_in_account(segments, result);
  }
  return result;
}

std::optional<std::string> query_parameter(std::string_view query,
                                           std::string_view name,
                                           bool& bad) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const std::size_t equals = pair.find('=');
    const auto found = http::percent_decode(pair.substr(0, equals), true);
    if (!found || *found != name) continue;
    if (equals == std::string_view::npos) return std::string();
    std::optional<std::string> value = http::percent_decode(pair.substr(equals + 1), true);
    if (!value) bad = true;
    return value;
  }
  return std::nullopt;
}

}  // namespace edged::kv_http
