// SPDX-License-Identifier: Apache-2.0
// A request of workerd's KV binding taken apart: which call it is, on which key, with which
// options. The path is one percent-encoded segment, split off before anything is decoded and
// decoded once. Pure functions; any thread. Source: docs/workers-binding.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/http/kv_rules.h"
#include "proto/http/message.h"

namespace edged::kv_http {

enum class BindingCall : std::uint8_t {
  kGet,       // GET /KEY, and HEAD
  kPut,       // PUT /KEY
  kDelete,    // DELETE /KEY
  kList,      // GET /
  kBulkRead,  // POST /bulk/get
};

struct BindingRequest {
  BindingCall call = BindingCall::kGet;
  std::string key;                      // kGet, kPut, kDelete
  Expiry expiry;                        // kPut
  std::string metadata;                 // kPut; empty: none
  std::string prefix, start_after;      // kList
  std::uint32_t limit = kListLimitMax;  // kList
};

// Refusals: 405 for a method that the path does not have; 400, 413 and 414 with the texts of
// kv_rules.h. Never 404: to a Worker that means "no such key". A put whose Content-Length is above
// the limit of a value is refused here too.
Checked<BindingRequest> parse_binding_request(const http::RequestHead& head, WallTime now);

// The methods of the path, for the header Allow.
std::string_view binding_methods(std::string_view path);

// The namespace, by id or title, that a request is for: the header X-KV-Namespace, else its host
// name. Nothing if neither names one. `hosts` are names of the node itself.
std::optional<std::string> binding_namespace(const http::RequestHead& head,
                                             const std::vector<std::string>& hosts);

// What stands for a namespace in a host name (in lower case): NAME.kv.internal, NAME.HOST for a
// HOST of `hosts`, or a NAME without dots. Nothing for another host, for fake-host, which workerd
// sends if nothing else is configured, and for localhost.
std::optional<std::string> namespace_in_host(std::string_view host,
                                             const std::vector<std::string>& hosts);

// True for a host name that a request to this face may have besides the node's own. A web page
// cannot have such a name as its own, unless its author may give out names below one of `hosts`.
bool is_binding_host(std::string_view host, const std::vector<std::string>& hosts);

}  // namespace edged::kv_http
