// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/time_zone.h"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace edged::worker {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

struct TimeZone::Rules {
  std::string name;
  cctz::time_zone zone;
};

namespace {

constexpr std::size_t kNameBytesMax = 100;
// Zone files are some KiB; a larger one is something else.
constexpr std::uintmax_t kFileBytesMax = 1 << 20;

// Letters, digits and "_+-/": no "..", and nothing that cctz would read as more than a file's name.
bool is_zone_name(const std::string& name) {
  const bool known_characters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  });
  return known_characters && !name.empty() && name.size() <= kNameBytesMax && name.front() != '/';
}

cctz::civil_second civil(local_seconds local) {
  return cctz::civil_second() + local.time_since_epoch().count();
}

sys_seconds instant(cctz::time_point<cctz::seconds> time) {
  return sys_seconds(seconds(time.time_since_epoch().count()));
}

}  // namespace

TimeZone::TimeZone() : rules_(std::make_shared<Rules>(Rules{"UTC", cctz::utc_time_zone()})) {}

const std::string& TimeZone::name() const {
  return rules_->name;
}

std::string TimeZone::default_directory() {
  const char* const given = std::getenv("TZDIR");
  return given != nullptr && *given != '\0' ? given : "/usr/share/zoneinfo";
}

Result<TimeZone> TimeZone::load(const std::string& name, const std::string& directory) {
  if (name == "UTC" || name == "Etc/UTC") return TimeZone();
  const auto failed = [&name](Code code, const std::string& why) {
    return Status(code, "could not use time zone \"" + name + "\": " + why);
  };
  if (!is_zone_name(name)) {
    return failed(Code::kInvalidArgument, "it must be an IANA name, like Europe/Berlin");
  }
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error)) {
    return failed(Code::kIoError,
                  "there is no directory " + directory +
                      " with zone files. Install the package tzdata, or set TZDIR");
  }
  const std::filesystem::path file = std::filesystem::absolute(directory, error) / name;
  if (error || !std::filesystem::is_regular_file(file, error)) {
    return failed(Code::kInvalidArgument,
                  "there is no such zone in " + directory +
                      ". Check the spelling; the package tzdata installs the zones");
  }
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  Rules rules{name, {}};
  if (error || bytes > kFileBytesMax || !cctz::load_time_zone(file.string(), &rules.zone)) {
    return failed(Code::kCorruption,
                  file.string() + " is not a zone file, is damaged, or counts leap seconds");
  }
  return TimeZone(std::make_shared<const Rules>(std::move(rules)));
}

seconds TimeZone::offset_at(sys_seconds time) const {
  const cctz::time_point<cctz::seconds> at(cctz::seconds(time.time_since_epoch().count()));
  return seconds(rules_->zone.lookup(at).offset);
}

std::string TimeZone::abbreviation_at(sys_seconds time) const {
  const cctz::time_point<cctz::seconds> at(cctz::seconds(time.time_since_epoch().count()));
  const std::string name = rules_->zone.lookup(at).abbr;
  const bool is_name = !name.empty() && name.front() != '+' && name.front() != '-';
  return is_name ? name : std::string("UTC").append(name);
}

TimeZone::Reading TimeZone::look_up(local_seconds local) const {
  using Lookup = cctz::time_zone::civil_lookup;
  const Lookup found = rules_->zone.lookup(civil(local));
  switch (found.kind) {
    case Lookup::UNIQUE:
      break;
    case Lookup::SKIPPED:
      return {Reading::Kind::kSkipped,
              instant(found.trans),
              instant(found.trans),
              instant(found.trans)};
    case Lookup::REPEATED:
      return {
          Reading::Kind::kRepeated, instant(found.pre), instant(found.trans), instant(found.post)};
  }
  return {Reading::Kind::kUnique, instant(found.pre), instant(found.pre), instant(found.pre)};
}

sys_seconds TimeZone::to_instant(local_seconds local) const {
  return look_up(local).first;
}

}  // namespace edged::worker
