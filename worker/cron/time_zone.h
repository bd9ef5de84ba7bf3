// SPDX-License-Identifier: Apache-2.0
// A time zone of the IANA database: the offset from UTC at any instant, and the instants at which
// clocks show a local time. Reads the system's zone files (package tzdata) with cctz; instants
// after a file's last entry follow its rule for the future. Cheap to copy, immutable; any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "proto/base/status.h"

namespace edged::worker {

class TimeZone {
 public:
  TimeZone();  // UTC

  // Where zone files are: $TZDIR if it is set, else /usr/share/zoneinfo.
  static std::string default_directory();
  // "America/New_York". "UTC" needs no file. Blocks on disk; a file is read once in a process.
  // Errors: kInvalidArgument (not the form of a zone's name, no such file); kIoError (no zone
  // files at all); kCorruption (the file is no zone file, is damaged, or counts leap seconds).
  static Result<TimeZone> load(const std::string& name,
                               const std::string& directory = default_directory());

  const std::string& name() const;

  // What local clocks show minus UTC.
  std::chrono::seconds offset_at(std::chrono::sys_seconds time) const;
  std::chrono::local_seconds to_local(std::chrono::sys_seconds time) const {
    return std::chrono::local_seconds((time + offset_at(time)).time_since_epoch());
  }
  // What the time then in use is called: "MST", "UTC"; "UTC-03" where it has no name.
  std::string abbreviation_at(std::chrono::sys_seconds time) const;

  // When clocks show a local time. kUnique: at `first`, which `last` and `change` equal. kSkipped:
  // never, clocks jump over it at `change`. kRepeated: at `first` and again at `last`; at `change`
  // they are put back.
  struct Reading {
    enum class Kind { kUnique, kSkipped, kRepeated };
    Kind kind = Kind::kUnique;
    std::chrono::sys_seconds first, change, last;
  };
  Reading look_up(std::chrono::local_seconds local) const;

  // A local time that clocks show twice gives the earlier instant; one that they skip gives the
  // instant of the jump.
  std::chrono::sys_seconds to_instant(std::chrono::local_seconds local) const;

 private:
  struct Rules;
  explicit TimeZone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const Rules> rules_;
};

}  // namespace edged::worker
