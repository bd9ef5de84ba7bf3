// SPDX-License-Identifier: Apache-2.0
// Facts to message: one list of lines feeds both parts, so text and HTML never disagree, and a fact
// that is unknown has no line.
#include "worker/class_monitor/notification.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "worker/mail/compose.h"
#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

constexpr std::size_t kFactBytesMax = 500;

struct Line {
  std::string label;
  std::string value;
};

std::string fact(const std::optional<std::string>& text) {
  return text ? one_line(*text, kFactBytesMax) : std::string();
}

// "CSE 310", or empty unless both halves are known.
std::string course_code(const MailFacts& facts) {
  const std::string subject = fact(facts.subject);
  const std::string number = fact(facts.catalog_nbr);
  return subject.empty() || number.empty() ? std::string() : subject + " " + number;
}

// "CSE 310 (12431): Data Structures", "Section 12431".
std::string section_name(const MailFacts& facts) {
  const std::string code = course_code(facts);
  const std::string number = one_line(facts.class_nbr, kFactBytesMax);
  const std::string title = fact(facts.title);
  std::string name = code.empty() ? "Section " + number : code + " (" + number + ")";
  return title.empty() ? name : name + ": " + title;
}

std::string subject_line(const MailFacts& facts) {
  const bool seat = facts.type == NotificationType::kSeatAvailable;
  return (seat ? "Seat open: " : "Instructor assigned: ") + section_name(facts);
}

// "3 open of 120 (not reserved; 5 with reserved seats)", or for a watch that counts these "5 open
// of 120 (3 not reserved)"; empty if no count is known.
std::string seats_text(const MailFacts& facts) {
  const bool all = facts.include_reserved_seats && facts.seats_available;
  const auto open =
      facts.non_reserved_seats && !all ? facts.non_reserved_seats : facts.seats_available;
  if (!open) return {};
  std::string text = std::to_string(std::max<std::int64_t>(0, *open)) + " open";
  if (facts.seats_capacity && *facts.seats_capacity > 0) {
    text += " of " + std::to_string(*facts.seats_capacity);
  }
  if (!facts.non_reserved_seats) return text;
  if (all) {
    return text + " (" + std::to_string(std::max<std::int64_t>(0, *facts.non_reserved_seats)) +
           " not reserved)";
  }
  if (facts.seats_available && *facts.seats_available > *open) {
    return text + " (not reserved; " + std::to_string(*facts.seats_available) +
           " with reserved seats)";
  }
  return text + " (not reserved)";
}

// "2026-11-24 14:33 UTC".
std::string checked_text(WallTime time) {
  const std::string full = format_rfc3339(time);
  return full.substr(0, 10) + " " + full.substr(11, 5) + " UTC";
}

std::vector<Line> fact_lines(const MailFacts& facts) {
  std::string instructor = fact(facts.instructor);
  if (facts.instructor && instructor.empty()) instructor = "not assigned yet";
  std::vector<Line> lines{
      {"Course", course_code(facts)},
      {"Title", fact(facts.title)},
      {"Section", one_line(facts.class_nbr, kFactBytesMax)},
      {"Term", one_line(facts.term, kFactBytesMax)},
      {"Seats", seats_text(facts)},
      {"Instructor", instructor},
      {"Time", fact(facts.meeting_times)},
      {"Place", fact(facts.location)},
      {"Checked", checked_text(facts.checked_at)},
  };
  std::erase_if(lines, [](const Line& line) { return line.value.empty(); });
  return lines;
}

std::string lead_sentence(const MailFacts& facts) {
  const std::string name = section_name(facts);
  return facts.type == NotificationType::kSeatAvailable
             ? "A seat is open in " + name + "."
             : "An instructor is now assigned to " + name + ".";
}

bool is_link(const std::string& url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

std::string text_part(const MailFacts& facts, const std::string& url) {
  std::string out = lead_sentence(facts) + "\n\n";
  for (const Line& line : fact_lines(facts)) {
    out += line.label + ":" + std::string(12 - line.label.size(), ' ') + line.value + "\n";
  }
  out += "\nYou get this mail because you watch this section.\n";
  if (!url.empty()) out += "Your watches: " + url + "\n";
  return out;
}

std::string html_part(const MailFacts& facts, const std::string& url) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>" +
                    html_escape(subject_line(facts)) + "</title></head>\n<body>\n<p>" +
                    html_escape(lead_sentence(facts)) + "</p>\n<table>\n";
  for (const Line& line : fact_lines(facts)) {
    out += "<tr><th align=\"left\">" + line.label + "</th><td>" + html_escape(line.value) +
           "</td></tr>\n";
  }
  out += "</table>\n<p>You get this mail because you watch this section.</p>\n";
  if (!url.empty()) out += "<p><a href=\"" + html_escape(url) + "\">Your watches</a></p>\n";
  return out + "</body>\n</html>\n";
}

}  // namespace

std::string notification_type_name(NotificationType type) {
  return type == NotificationType::kSeatAvailable ? "seat_available" : "instructor_assigned";
}

std::optional<NotificationType> parse_notification_type(std::string_view name) {
  if (name == "seat_available") return NotificationType::kSeatAvailable;
  if (name == "instructor_assigned") return NotificationType::kInstructorAssigned;
  return std::nullopt;
}

Result<Message> render_message(const MailFacts& facts, const MailIdentity& identity) {
  if (!is_message_key(facts.notification_id)) {
    return Status(Code::kInvalidArgument,
                  "could not make a Message-ID of notification id \"" +
                      one_line(facts.notification_id, 100) +
                      "\": it is empty, longer than 200 bytes, or not a dot-atom (RFC 5322)");
  }
  const std::string url = is_link(identity.public_url) ? one_line(identity.public_url, 2000) : "";
  Letter letter;
  letter.key = facts.notification_id;
  letter.recipient = facts.recipient;
  letter.sent_at = facts.created_at;
  Content content;
  content.subject = subject_line(facts);
  content.text = text_part(facts, url);
  content.html = html_part(facts, url);
  content.headers = {{"X-Edged-Type", notification_type_name(facts.type)},
                     {"X-Edged-Section", one_line(facts.class_nbr, kFactBytesMax)},
                     {"X-Edged-Term", one_line(facts.term, kFactBytesMax)},
                     {"X-Edged-Notification", facts.notification_id}};
  return compose(letter, content, identity);
}

}  // namespace edged::mail
