// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/notification_text.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "worker/mail/mime.h"

namespace edged::class_monitor {
namespace {

constexpr std::size_t kFactBytesMax = 500;
constexpr std::size_t kUrlBytesMax = 2000;
constexpr std::size_t kLabelColumns = 13;

std::string fact(const std::optional<std::string>& text) {
  return text ? mail::one_line(*text, kFactBytesMax) : std::string();
}

// "CSE 310", or empty unless both halves are known.
std::string course_code(const NotificationFacts& facts) {
  std::string subject = fact(facts.subject);
  const std::string number = fact(facts.catalog_nbr);
  if (subject.empty() || number.empty()) return {};
  return subject.append(" ").append(number);
}

// "CSE 310 (12431): Data Structures", "Section 12431".
std::string section_name(const NotificationFacts& facts) {
  std::string name = course_code(facts);
  const std::string number = mail::one_line(facts.class_nbr, kFactBytesMax);
  const std::string title = fact(facts.title);
  if (name.empty()) {
    name.append("Section ").append(number);
  } else {
    name.append(" (").append(number).append(")");
  }
  if (!title.empty()) name.append(": ").append(title);
  return name;
}

std::string heading_of(const NotificationFacts& facts) {
  std::string heading = course_code(facts);
  const std::string title = fact(facts.title);
  if (heading.empty() && title.empty()) return section_name(facts);
  if (!heading.empty() && !title.empty()) heading.append(": ");
  return heading.append(title);
}

std::string count(std::int64_t seats) {
  return std::to_string(std::max<std::int64_t>(0, seats));
}

// The seats that the watch is told of.
std::optional<std::int64_t> told_seats(const NotificationFacts& facts) {
  const bool all = facts.include_reserved_seats && facts.seats_available;
  return facts.non_reserved_seats && !all ? facts.non_reserved_seats : facts.seats_available;
}

// "3 open of 120"; empty if no count is known.
std::string open_text(const NotificationFacts& facts) {
  const auto open = told_seats(facts);
  if (!open) return {};
  std::string text = count(*open).append(" open");
  if (facts.seats_capacity && *facts.seats_capacity > 0) {
    text.append(" of ").append(std::to_string(*facts.seats_capacity));
  }
  return text;
}

// "3 open of 120 (not reserved; 5 with reserved seats)", or for a watch that counts these "5 open
// of 120 (3 not reserved)"; empty if no count is known.
std::string seats_text(const NotificationFacts& facts) {
  std::string text = open_text(facts);
  if (text.empty() || !facts.non_reserved_seats) return text;
  if (facts.include_reserved_seats && facts.seats_available) {
    return text.append(" (").append(count(*facts.non_reserved_seats)).append(" not reserved)");
  }
  if (facts.seats_available && *facts.seats_available > *facts.non_reserved_seats) {
    return text.append(" (not reserved; ")
        .append(std::to_string(*facts.seats_available))
        .append(" with reserved seats)");
  }
  return text.append(" (not reserved)");
}

std::string two_digits(std::int64_t number) {
  std::string text = std::to_string(number);
  return text.size() < 2 ? text.insert(0, "0") : text;
}

// "Tue 25 Nov 2025, 07:33 MST".
std::string checked_text(WallTime time, const worker::TimeZone& zone) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto at = std::chrono::floor<std::chrono::seconds>(time);
  const std::chrono::local_seconds local = zone.to_local(at);
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(day);
  const auto minutes = std::chrono::floor<std::chrono::minutes>(local - day).count();
  std::string text = kDays[std::chrono::weekday(day).c_encoding()];
  text.append(" ").append(std::to_string(static_cast<unsigned>(date.day()))).append(" ");
  text.append(kMonths[static_cast<unsigned>(date.month()) - 1]).append(" ");
  text.append(std::to_string(static_cast<int>(date.year()))).append(", ");
  text.append(two_digits(minutes / 60)).append(":").append(two_digits(minutes % 60));
  return text.append(" ").append(zone.abbreviation_at(at));
}

std::string instructor_text(const NotificationFacts& facts) {
  std::string name = fact(facts.instructor);
  return facts.instructor && name.empty() ? std::string("not assigned yet") : name;
}

bool is_link(std::string_view url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

}  // namespace

NotificationText word_notification(const NotificationFacts& facts,
                                   const std::string& url,
                                   const worker::TimeZone& zone) {
  const bool seat = facts.type == NotificationType::kSeatAvailable;
  const std::string name = section_name(facts);
  NotificationText text;
  text.subject = std::string(seat ? "Seat open: " : "Instructor assigned: ").append(name);
  text.heading = heading_of(facts);
  text.summary = seat ? open_text(facts) : instructor_text(facts);
  if (text.summary.empty()) text.summary = "A seat is open";
  text.lead = std::string(seat ? "A seat is open in " : "An instructor is now assigned to ")
                  .append(name)
                  .append(".");
  text.lines = {
      {"Course", course_code(facts)},
      {"Title", fact(facts.title)},
      {"Section", mail::one_line(facts.class_nbr, kFactBytesMax)},
      {"Term", mail::one_line(facts.term, kFactBytesMax)},
      {"Seats", seats_text(facts)},
      {"Instructor", instructor_text(facts)},
      {"Time", fact(facts.meeting_times)},
      {"Place", fact(facts.location)},
      {"Checked", checked_text(facts.checked_at, zone)},
  };
  std::erase_if(text.lines, [](const FactLine& line) { return line.value.empty(); });
  if (is_link(url)) text.url = mail::one_line(url, kUrlBytesMax);
  return text;
}

std::string text_part(const NotificationText& text) {
  std::string out = text.lead;
  out.append("\n\n");
  for (const FactLine& line : text.lines) {
    out.append(line.label).append(":");
    out.append(kLabelColumns - 1 - line.label.size(), ' ').append(line.value).append("\n");
  }
  out.append("\nYou get this mail because you watch this section.\n");
  if (!text.url.empty()) out.append("Your watches: ").append(text.url).append("\n");
  return out;
}

}  // namespace edged::class_monitor
