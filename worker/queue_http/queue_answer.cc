// SPDX-License-Identifier: Apache-2.0
#include "worker/queue_http/queue_answer.h"

#include <utility>

#include "proto/json/write_json.h"

namespace edged::queue {
namespace {

http::Response answer(int status, const boost::json::object& envelope) {
  return {status, "application/json", write_json(envelope), {}};
}

boost::json::object success_envelope(boost::json::value result) {
  boost::json::object envelope;
  envelope["success"] = true;
  envelope["errors"] = boost::json::array();
  envelope["messages"] = boost::json::array();
  envelope["result"] = std::move(result);
  return envelope;
}

}  // namespace

http::Response result_answer(boost::json::value result) {
  return answer(200, success_envelope(std::move(result)));
}

http::Response list_answer(boost::json::array result) {
  const std::size_t count = result.size();
  boost::json::object envelope = success_envelope(std::move(result));
  envelope["result_info"] = {{"page", 1},
                             {"per_page", count},
                             {"count", count},
                             {"total_count", count},
                             {"total_pages", 1}};
  return answer(200, envelope);
}

http::Response error_answer(int http_status, int code, std::string_view message) {
  boost::json::object error;
  error["code"] = code;
  error["message"] = message;
  boost::json::object envelope;
  envelope["success"] = false;
  envelope["errors"] = boost::json::array{std::move(error)};
  envelope["messages"] = boost::json::array();
  envelope["result"] = nullptr;
  return answer(http_status, envelope);
}

http::Response error_answer(const Status& status) {
  switch (status.code()) {
    case Code::kNotFound:
      return error_answer(404, kCodeQueueNotFound, status.message());
    case Code::kExists:
      return error_answer(409, kCodeNameTaken, status.message());
    case Code::kConflict:
      return error_answer(409, kCodeInvalid, status.message());
    case Code::kTooLarge:
      return error_answer(413, kCodeInvalid, status.message());
    case Code::kInvalidArgument:
    case Code::kUnsupported:
      return error_answer(400, kCodeInvalid, status.message());
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kUnknownOutcome:
    case Code::kBusy: {
      http::Response response = error_answer(503, kCodeInternal, status.message());
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    default:
      return error_answer(500, kCodeInternal, status.message());
  }
}

}  // namespace edged::queue
