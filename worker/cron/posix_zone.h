// SPDX-License-Identifier: Apache-2.0
// The rule of a POSIX TZ string, as the last line of a TZif file has it: "EST5EDT,M3.2.0,M11.1.0".
// RFC 8536's extension is known: times of -167 to 167 hours. Value type; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::worker {

class PosixZone {
 public:
  // Errors: kInvalidArgument.
  static Result<PosixZone> parse(std::string_view text);

  std::chrono::seconds offset_at(std::chrono::sys_seconds time) const;
  std::optional<std::chrono::sys_seconds> next_change_after(std::chrono::sys_seconds time) const;

 private:
  enum class DayKind { kMonthWeekDay, kJulianNoLeap, kZeroBased };  // M3.2.0, J60, 59
  struct Rule {
    DayKind kind = DayKind::kMonthWeekDay;
    unsigned month = 1, week = 1, weekday = 0;
    int day = 0;
    std::chrono::seconds time{7200};  // after local midnight
  };
  struct Change {
    std::chrono::sys_seconds at;
    std::chrono::seconds offset;  // from then on
  };
  class Parser;

  static std::chrono::sys_days day_in(const Rule& rule, std::chrono::year in);
  std::vector<Change> changes_around(std::chrono::sys_seconds time) const;

  std::chrono::seconds standard_{0};
  std::chrono::seconds summer_{0};
  bool has_summer_ = false;
  Rule to_summer_, to_standard_;
};

}  // namespace edged::worker
