// SPDX-License-Identifier: Apache-2.0
// The endpoints for users and accounts. `wrangler whoami` asks them, and so do clients that were
// not given an account. A node has neither users nor accounts. The user is always edged@localhost.
// The account is the configured one, else that of the request, else one whose id is 32 zeros.
#include <boost/json.hpp>

#include "kvstore/http/rest_call.h"
#include "kvstore/http/rest_envelope.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

namespace json = boost::json;

// Stands where Cloudflare has an id that the node does not have.
constexpr const char* kNoId = "00000000000000000000000000000000";
constexpr const char* kName = "edged";

// The configured account, else the one that the request names.
json::object account_of(const RestCall& call) {
  std::string id = call.shared.account_id;
  if (id.empty()) id = call.path.account;
  if (id.empty()) id = kNoId;
  return {{"id", id}, {"name", kName}, {"type", "standard"}};
}

// A list of one thing. Clients ask for further pages until one is empty.
http::Response list_of_one(const RestCall& call, const json::object& item) {
  bool bad = false;
  const auto page = call.parameter("page", bad);
  const bool first = !page || page->empty() || *page == "1";
  json::array items;
  if (first) items.push_back(item);
  json::object info{{"page", 1}, {"per_page", 20}, {"count", items.size()}, {"total_count", 1}};
  return rest_success(write_json(items), write_json(info));
}

}  // namespace

RestEndpoint rest_verify_token(RestCall& call) {
  const access::Token* token = call.caller.is_known() ? call.caller.token() : nullptr;
  json::object result{{"id", token == nullptr ? kNoId : token->grant.id}, {"status", "active"}};
  if (token != nullptr && token->grant.expires_at) {
    result["expires_on"] = format_rfc3339(*token->grant.expires_at);
  }
  co_await rest_send(call, rest_success(write_json(result)));
}

RestEndpoint rest_user(RestCall& call) {
  const json::object result{{"id", kNoId}, {"email", "edged@localhost"}};
  co_await rest_send(call, rest_success(write_json(result)));
}

RestEndpoint rest_accounts(RestCall& call) {
  co_await rest_send(call, list_of_one(call, account_of(call)));
}

RestEndpoint rest_account(RestCall& call) {
  co_await rest_send(call, rest_success(write_json(account_of(call))));
}

RestEndpoint rest_memberships(RestCall& call) {
  const json::object membership{{"id", kNoId},
                                {"status", "accepted"},
                                {"account", account_of(call)},
                                {"roles", json::array{"Administrator"}}};
  co_await rest_send(call, list_of_one(call, membership));
}

}  // namespace edged::kv_http
