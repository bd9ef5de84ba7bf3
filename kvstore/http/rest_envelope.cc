// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/rest_envelope.h"

#include <utility>

#include "kvstore/http/metadata.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

constexpr std::string_view kBegin = R"({"success":true,"errors":[],"messages":[],"result":)";
constexpr std::string_view kEnd = "}\n";

struct Failure {
  int status;
  int code;
  std::string_view text;  // empty: the error's own message
};

// Codes are Cloudflare's. What it has no code for has that of the kind nearest to it.
Failure failure_of(Code code) {
  switch (code) {
    case Code::kNotFound:
      return {404, 10009, "key not found"};
    case Code::kNamespaceNotFound:
      return {404, 10013, "namespace not found"};
    case Code::kExists:
      return {400, 10014, "a namespace with this account ID and title already exists"};
    case Code::kInvalidArgument:
    case Code::kUnsupported:
      return {400, 10029, {}};
    case Code::kTooLarge:
      return {413, 10024, {}};
    case Code::kBusy:
      return {429, 10022, "too many requests"};
    case Code::kUnauthenticated:
      return {401, 10000, "Authentication error"};
    case Code::kDenied:
    case Code::kConflict:  // the key is its mirror's to write
      return {403, 10037, {}};
    case Code::kStale:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kUnknownOutcome:
      return {503, 10001, {}};
    case Code::kDiskFull:
      return {507, 10001, {}};
    default:
      return {500, 10001, {}};
  }
}

std::string message_of(std::string_view operation, std::string_view text) {
  std::string message(operation);
  message.append(": '").append(text).append("'");
  return message;
}

}  // namespace

std::string_view rest_success_begin() {
  return kBegin;
}

std::string_view rest_success_end() {
  return kEnd;
}

http::Response rest_success(std::string_view result, std::string_view result_info) {
  http::Response response;
  response.content_type = "application/json";
  response.body.reserve(kBegin.size() + result.size() + result_info.size() + 24);
  response.body.append(kBegin).append(result);
  if (!result_info.empty()) response.body.append(",\"result_info\":").append(result_info);
  response.body += kEnd;
  return response;
}

http::Response rest_failure(int status, int code, std::string_view message) {
  http::Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = R"({"success":false,"errors":[{"code":)";
  response.body.append(std::to_string(code))
      .append(",\"message\":")
      .append(write_json_string(to_utf8(message)))
      .append("}],\"messages\":[],\"result\":null}\n");
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

http::Response rest_failure(std::string_view operation, const Refusal& refusal) {
  return rest_failure(refusal.status, refusal.code, message_of(operation, refusal.text));
}

http::Response rest_failure(std::string_view operation, const Status& error) {
  if (error.code() == Code::kUnauthenticated) return rest_unauthenticated();
  const Failure failure = failure_of(error.code());
  return rest_failure(failure.status,
                      failure.code,
                      message_of(operation, failure.text.empty() ? error.message() : failure.text));
}

http::Response rest_unauthenticated() {
  return rest_failure(401, 10000, "Authentication error");
}

http::Response rest_no_route(std::string_view path) {
  std::string message("Could not route to ");
  message.append(path).append(", perhaps your object identifier is invalid?");
  return rest_failure(404, 7003, message);
}

}  // namespace edged::kv_http
