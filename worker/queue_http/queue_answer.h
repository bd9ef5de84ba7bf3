// SPDX-License-Identifier: Apache-2.0
// Answers in Cloudflare's envelope: {"success":true,"errors":[],"messages":[],"result":…}. Pure;
// any thread.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "proto/base/status.h"
#include "proto/http/server.h"

namespace edged::queue {

// Codes that clients of Cloudflare's API know.
inline constexpr int kCodeUnauthorized = 10000;
inline constexpr int kCodeInvalid = 10001;
inline constexpr int kCodeQueueNotFound = 11000;
inline constexpr int kCodeConsumerExists = 11004;
inline constexpr int kCodeNameTaken = 11009;
inline constexpr int kCodeNoRoute = 7003;
inline constexpr int kCodeInternal = 10002;

http::Response result_answer(boost::json::value result);
// A list that is told whole, as the first and only page.
http::Response list_answer(boost::json::array result);
http::Response error_answer(int http_status, int code, std::string_view message);
// By what Status says: 400, 404, 409, 413, 503 (may be tried again), else 500.
http::Response error_answer(const Status& status);

}  // namespace edged::queue
