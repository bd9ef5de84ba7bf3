// SPDX-License-Identifier: Apache-2.0
// The process's own figures under the names that every Prometheus client uses:
// process_resident_memory_bytes, process_open_fds, process_start_time_seconds; and
// edged_log_lines_lost_total.
#pragma once

#include "proto/base/clock.h"
#include "proto/base/metrics.h"

namespace edged::http {

// Once per registry. A figure that /proc does not tell is NaN. The start time is the time of this
// call.
void add_process_metrics(MetricsRegistry& metrics, const Clock& clock);

}  // namespace edged::http
