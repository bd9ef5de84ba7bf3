// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/time_zone.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "worker/cron/posix_zone.h"

namespace edged::worker {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

struct TimeZone::Rules {
  struct Change {
    sys_seconds at;
    seconds offset;  // from then on
  };

  std::string name;
  seconds first_offset{0};  // before the first change
  std::vector<Change> changes;
  std::optional<PosixZone> later;  // after the last change
};

namespace {

// Zone files are some KiB; a larger one is something else.
constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr std::size_t kHeaderBytes = 44;
// UTC offsets are within a day of UTC; RFC 8536 section 3.2 wants -25 to +26 hours.
constexpr std::int64_t kOffsetSecondsMax = 26 * 3600;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// RFC 8536 section 3.1, the counts in the order of the file.
struct Header {
  char version = 0;
  std::uint64_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, chars = 0;

  std::uint64_t data_bytes(std::uint64_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + chars + leaps * (time_bytes + 4) +
           standard_flags + utc_flags;
  }
};

std::optional<Header> read_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes.substr(0, 4) != "TZif") return std::nullopt;
  const auto count = [bytes](std::size_t i) { return big_endian(bytes.substr(20 + 4 * i, 4)); };
  return Header{bytes[4], count(0), count(1), count(2), count(3), count(4), count(5)};
}

bool is_zone_name(const std::string& name) {
  const bool known_characters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  });
  return known_characters && !name.empty() && name.size() <= 100 && name.front() != '/';
}

}  // namespace

TimeZone::TimeZone() : rules_(std::make_shared<Rules>(Rules{"UTC", seconds(0), {}, {}})) {}

const std::string& TimeZone::name() const {
  return rules_->name;
}

Result<TimeZone> TimeZone::load(const std::string& name, const std::string& directory) {
  if (name == "UTC" || name == "Etc/UTC") return TimeZone();
  if (!is_zone_name(name)) {
    return Status(
        Code::kInvalidArgument,
        "could not use time zone \"" + name + "\": it must be an IANA name, like Europe/Berlin");
  }
  std::ifstream file(directory + "/" + name, std::ios::binary);
  std::string bytes(kFileBytesMax, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (bytes.empty()) {
    return Status(Code::kInvalidArgument,
                  "could not use time zone \"" + name + "\": no such file in " + directory +
                      ". The package tzdata installs them");
  }
  return parse(name, bytes);
}

Result<TimeZone> TimeZone::parse(const std::string& name, std::string_view bytes) {
  const auto bad = [&name](const std::string& why) {
    return Status(Code::kCorruption, "could not use time zone \"" + name + "\": " + why);
  };
  std::optional<Header> header = read_header(bytes);
  if (!header) return bad("its file is not a time zone file");
  const std::uint64_t old_data = header->data_bytes(4);
  if (header->version < '2') return bad("its file has the format of before 2005");
  if (old_data > bytes.size() - kHeaderBytes) return bad("its file is cut short");
  bytes.remove_prefix(kHeaderBytes + old_data);
  header = read_header(bytes);
  if (!header || header->data_bytes(8) > bytes.size() - kHeaderBytes || header->types == 0) {
    return bad("its file is cut short");
  }
  if (header->leaps != 0) return bad("its file counts leap seconds");
  bytes.remove_prefix(kHeaderBytes);

  const std::string_view types = bytes.substr(header->times * 9, header->types * 6);
  std::vector<seconds> offsets;
  for (std::size_t i = 0; i < header->types; ++i) {
    const seconds offset(static_cast<std::int32_t>(big_endian(types.substr(i * 6, 4))));
    if (std::abs(offset.count()) > kOffsetSecondsMax)
      return bad("its file has an impossible offset");
    offsets.push_back(offset);
  }
  Rules rules{name, offsets[0], {}, {}};
  for (std::size_t i = 0; i < header->times; ++i) {
    const auto at = static_cast<std::int64_t>(big_endian(bytes.substr(i * 8, 8)));
    const auto type = static_cast<unsigned char>(bytes[header->times * 8 + i]);
    if (type >= offsets.size()) return bad("its file names an unknown type");
    const sys_seconds time{seconds(at)};
    if (!rules.changes.empty() && time <= rules.changes.back().at)
      return bad("its times are unordered");
    rules.changes.push_back({time, offsets[type]});
  }
  const std::string_view footer = bytes.substr(header->data_bytes(8));
  if (footer.size() < 2 || footer.front() != '\n' ||
      footer.find('\n', 1) == std::string_view::npos) {
    return bad("its file has no rule for the future");
  }
  const std::string_view rule = footer.substr(1, footer.find('\n', 1) - 1);
  if (!rule.empty()) {
    auto later = PosixZone::parse(rule);
    if (!later) return bad(later.error().message());
    rules.later = std::move(*later);
  }
  return TimeZone(std::make_shared<const Rules>(std::move(rules)));
}

seconds TimeZone::offset_at(sys_seconds time) const {
  const auto& changes = rules_->changes;
  if (rules_->later && (changes.empty() || time >= changes.back().at)) {
    return rules_->later->offset_at(time);
  }
  const auto next = std::upper_bound(
      changes.begin(), changes.end(), time, [](sys_seconds t, const Rules::Change& change) {
        return t < change.at;
      });
  return next == changes.begin() ? rules_->first_offset : std::prev(next)->offset;
}

std::optional<sys_seconds> TimeZone::next_change_after(sys_seconds time) const {
  const auto& changes = rules_->changes;
  const seconds before = offset_at(time);
  auto next = std::upper_bound(
      changes.begin(), changes.end(), time, [](sys_seconds t, const Rules::Change& change) {
        return t < change.at;
      });
  for (; next != changes.end(); ++next) {
    if (offset_at(next->at) != before) return next->at;
  }
  if (!rules_->later) return std::nullopt;
  return rules_->later->next_change_after(changes.empty() ? time
                                                          : std::max(time, changes.back().at));
}

sys_seconds TimeZone::to_instant(local_seconds local) const {
  // An offset is at most 26 h, so one day and two hours to both sides every change that could
  // matter has happened, or has not.
  constexpr std::chrono::hours kReach{26};
  const sys_seconds as_utc(local.time_since_epoch());
  const seconds before = offset_at(as_utc - kReach);
  const seconds after = offset_at(as_utc + kReach);
  if (offset_at(as_utc - before) == before) return as_utc - before;
  if (offset_at(as_utc - after) == after) return as_utc - after;
  // Skipped. As `after` is the larger offset, as_utc - after is before the jump.
  const auto jump = next_change_after(as_utc - after);
  return jump ? *jump : as_utc - after;
}

}  // namespace edged::worker
