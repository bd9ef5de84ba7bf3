// SPDX-License-Identifier: Apache-2.0
// A time zone of the IANA database, read from the system's TZif files (RFC 8536; package tzdata):
// the offset at any instant, when it changes next, and which instant a local time means. Times
// after the file's last transition follow its POSIX rule. Cheap to copy, immutable; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/status.h"

namespace edged::worker {

class TimeZone {
 public:
  TimeZone();  // UTC

  // "America/New_York". "UTC" needs no file. Blocks on disk. Errors: kInvalidArgument (not a zone's
  // name, no such zone); kCorruption (the file is no TZif, or counts leap seconds).
  static Result<TimeZone> load(const std::string& name,
                               const std::string& directory = "/usr/share/zoneinfo");
  // The bytes of a TZif file. Errors: kCorruption.
  static Result<TimeZone> parse(const std::string& name, std::string_view bytes);

  const std::string& name() const;

  // What local clocks show minus UTC.
  std::chrono::seconds offset_at(std::chrono::sys_seconds time) const;
  // The first instant after `time` at which the offset changes; nothing if it never does again.
  std::optional<std::chrono::sys_seconds> next_change_after(std::chrono::sys_seconds time) const;

  std::chrono::local_seconds to_local(std::chrono::sys_seconds time) const {
    return std::chrono::local_seconds((time + offset_at(time)).time_since_epoch());
  }
  // A local time that clocks show twice gives the earlier instant; one that they skip gives the
  // instant of the jump.
  std::chrono::sys_seconds to_instant(std::chrono::local_seconds local) const;

 private:
  struct Rules;
  explicit TimeZone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const Rules> rules_;
};

}  // namespace edged::worker
