// SPDX-License-Identifier: Apache-2.0
// Which endpoint of the REST face a request target means. The path is split before anything is
// decoded, and each segment is decoded once, so that a key may hold slashes and percent signs; dots
// and empty segments are never normalised away. Pure functions; any thread. Source: docs/rest.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edged::kv_http {

inline constexpr std::string_view kRestPrefix = "/client/v4/";

enum class RestPlace : std::uint8_t {
  kUnknown,
  kVerifyToken,  // /user/tokens/verify
  kUser,         // /user
  kAccounts,     // /accounts
  kAccount,      // /accounts/ID
  kMemberships,  // /memberships
  kQueues,       // /accounts/ID/queues and all below
  kNamespaces,   // /accounts/ID/storage/kv/namespaces
  kNamespace,    // …/namespaces/NS
  kKeys,         // …/namespaces/NS/keys
  kValue,        // …/namespaces/NS/values/KEY
  kMetadata,     // …/namespaces/NS/metadata/KEY
  kBulk,         // …/namespaces/NS/bulk
  kBulkDelete,   // …/namespaces/NS/bulk/delete
  kBulkGet,      // …/namespaces/NS/bulk/get
};

struct RestPath {
  RestPlace place = RestPlace::kUnknown;
  // Percent-decoded; empty if the place has none.
  std::string account;
  std::string ns;
  std::string_view key_segment;  // as it came, a part of what parse_rest_path() was given
};

// `path` is raw, without the query, and begins with kRestPrefix; else the place is unknown.
RestPath parse_rest_path(std::string_view path);

// The value of the parameter `name` in a raw query: decoded, '+' is a space. Of equal names the
// first counts. Nothing if it is not there. Errors: `bad` becomes true if an escape is broken.
std::optional<std::string> query_parameter(std::string_view query,
                                           std::string_view name,
                                           bool& bad);

}  // namespace edged::kv_http
