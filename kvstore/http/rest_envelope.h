// SPDX-License-Identifier: Apache-2.0
// The answers of the REST face: Cloudflare's envelope around a result or around an error, with the
// status that both kinds of client look at. Pure functions; any thread. Source: docs/rest.md.
#pragma once

#include <string>
#include <string_view>

#include "kvstore/http/kv_rules.h"
#include "proto/base/status.h"
#include "proto/http/server.h"

namespace edged::kv_http {

// {"success":true,"errors":[],"messages":[],"result":…,"result_info":…}. Both arguments are JSON;
// without an info there is no result_info.
http::Response rest_success(std::string_view result, std::string_view result_info = {});
// What stands before and after the result, for an answer that is written in pieces.
std::string_view rest_success_begin();
std::string_view rest_success_end();

// {"success":false,"errors":[{"code":…,"message":"…"}],"messages":[],"result":null}
http::Response rest_failure(int status, int code, std::string_view message);

// The message is "OPERATION: 'TEXT'". `operation` is Cloudflare's name of it: "list keys".
http::Response rest_failure(std::string_view operation, const Refusal& refusal);
http::Response rest_failure(std::string_view operation, const Status& error);

// 401 and code 10000: no token, or not one that is valid here.
http::Response rest_unauthenticated();
// 404 and code 7003.
http::Response rest_no_route(std::string_view path);

}  // namespace edged::kv_http
