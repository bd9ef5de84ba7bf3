// SPDX-License-Identifier: Apache-2.0
// The three routes every program of ours has: GET /healthz (200 "ok": the process answers), GET
// /readyz (200 "ready", or 503 with the reason), GET /metrics (Prometheus' text format). The
// executor's thread.
#pragma once

#include <functional>
#include <string_view>

#include "proto/base/metrics.h"
#include "proto/base/status.h"
#include "proto/http/server.h"

namespace edged::http {

// Judges the credential of a bearer token, empty if none is shown: kOk, kUnauthenticated, kDenied.
using MayRead = std::function<Status(std::string_view credential)>;

// The answer to who may not read the figures: 401, or 403 for kDenied.
Response metrics_refusal(const Status& why);

// `ready` must not block; its message is shown to anyone who asks. `metrics` outlives the server.
// `may_read_metrics` empty: everyone may.
void add_health_routes(Server& server,
                       MetricsRegistry& metrics,
                       std::function<Status()> ready,
                       MayRead may_read_metrics = {});

}  // namespace edged::http
