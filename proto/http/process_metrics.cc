// SPDX-License-Identifier: Apache-2.0
#include "proto/http/process_metrics.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <system_error>

#include "proto/base/log.h"

namespace edged::http {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// proc(5), /proc/PID/statm: the second figure is the resident set in pages.
double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0, resident = 0;
  if (!(file >> size >> resident)) return kUnknown;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return kUnknown;
  // One of them is the iterator's own.
  return static_cast<double>(std::distance(begin(entries), end(entries)) - 1);
}

}  // namespace

void add_process_metrics(MetricsRegistry& metrics, const Clock& clock) {
  metrics.callback_gauge(
      "process_resident_memory_bytes", "Resident memory of the process.", resident_bytes);
  metrics.callback_gauge("process_open_fds", "File descriptors in use.", open_descriptors);
  const double started = static_cast<double>(to_unix_ms(clock.wall_now())) / 1000;
  metrics.callback_gauge("process_start_time_seconds",
                         "When the process started, in seconds since 1970.",
                         [started] { return started; });
  metrics.callback_counter(
      "edged_log_lines_lost_total",
      "Log lines that could not be written to stderr, or for which its reader was too slow.",
      log::lines_lost);
}

}  // namespace edged::http
