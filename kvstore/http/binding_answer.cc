// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/binding_answer.h"

#include "kvstore/http/list_cursor.h"
#include "kvstore/http/metadata.h"
#include "proto/json/write_json.h"

namespace edged::kv_http {
namespace {

// Clients refuse longer start lines.
constexpr std::size_t kReasonBytesMax = 512;

http::Response error_answer(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.reason = text.substr(0, kReasonBytesMax);
  response.body = text;
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

int status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kNamespaceNotFound:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kDenied:
    case Code::kConflict:  // the key is its mirror's to write
      return 403;
    case Code::kTooLarge:
      return 413;
    case Code::kBusy:
      return 429;
    case Code::kUnsupported:
      return 501;
    case Code::kStale:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kUnknownOutcome:
      return 503;
    case Code::kDiskFull:
      return 507;
    default:
      return 500;
  }
}

}  // namespace

http::Response binding_refusal(const Refusal& refusal) {
  return error_answer(refusal.status, refusal.text);
}

http::Response binding_failure(const Status& error) {
  return error_answer(status_of(error.code()),
                      error.message().empty() ? code_name(error.code()) : error.message());
}

http::Response binding_missing() {
  http::Response response;
  response.status = 404;
  response.body = "key not found";
  return response;
}

std::vector<std::pair<std::string, std::string>> binding_headers(const storage::Entry& entry) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!entry.metadata.empty()) {
    headers.emplace_back("CF-KV-Metadata", shown_metadata(entry.metadata));
  }
  if (entry.expires_at) {
    headers.emplace_back("CF-Expiration", std::to_string(expiration_seconds(*entry.expires_at)));
  }
  return headers;
}

http::Response binding_list(const std::vector<storage::ListItem>& items, bool more) {
  http::Response response;
  response.content_type = "application/json";
  std::string& body = response.body;
  body = "{\"keys\":[";
  for (const storage::ListItem& item : items) {
    if (&item != &items.front()) body += ',';
    body.append("{\"name\":").append(write_json_string(to_utf8(item.key)));
    if (item.entry.expires_at) {
      const std::int64_t seconds = expiration_seconds(*item.entry.expires_at);
      body.append(",\"expiration\":").append(std::to_string(seconds));
    }
    if (!item.entry.metadata.empty()) {
      const std::string metadata = shown_metadata(item.entry.metadata);
      body.append(",\"metadata\":").append(write_json_string(metadata));
    }
    body += '}';
  }
  body.append("],\"list_complete\":").append(more ? "false" : "true");
  if (more) body.append(",\"cursor\":\"").append(make_list_cursor(items.back().key)).append("\"");
  body += '}';
  return response;
}

}  // namespace edged::kv_http
