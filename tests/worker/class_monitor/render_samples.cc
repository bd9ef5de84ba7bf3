// SPDX-License-Identifier: Apache-2.0
// Renders the mails that check_mails.py reads: `render_samples DIR` writes DIR/NAME.eml for each
// case.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/class_monitor/notification_samples.h"
#include "worker/class_monitor/seat_letters.h"
#include "worker/mail/compose.h"

namespace edged::class_monitor {
namespace {

std::vector<std::pair<std::string, NotificationFacts>> samples() {
  NotificationFacts unicode = usual_facts();
  unicode.title = "Économie & société: 経済学入門 — <b>bold</b>";
  unicode.instructor = "Zoë Ñandú-Łukasz";
  unicode.non_reserved_seats = 1;
  unicode.location = "Bâtiment 3, salle « B »";

  NotificationFacts hostile = usual_facts();
  hostile.title = "X\r\nBcc: victim@example.com\r\n\r\n<script>alert(1)</script>";
  hostile.class_nbr = "1\nX-Evil: yes";
  hostile.term = std::string(
                     "2\0"
                     "2",
                     3) +
                 "\r\nX-Evil: yes";
  hostile.subject = "\xE2\x80\xA8Z\xC2\x85\xFF";
  hostile.instructor = "=?UTF-8?B?ZXZpbA==?=";
  hostile.meeting_times = "--=_edged_0\r\n.\r\nFrom me";

  NotificationFacts long_subject = usual_facts();
  for (int i = 0; i < 60; ++i) *long_subject.title += i % 3 == 0 ? " intermédiaire" : " of course";
  long_subject.location = std::string(400, 'x');

  NotificationFacts sparse = usual_facts();
  sparse.type = NotificationType::kInstructorAssigned;
  sparse.subject = sparse.catalog_nbr = sparse.title = std::nullopt;
  sparse.location = sparse.meeting_times = std::nullopt;
  sparse.seats_available = sparse.seats_capacity = std::nullopt;

  return {{"plain", usual_facts()},
          {"unicode", unicode},
          {"hostile", hostile},
          {"long", long_subject},
          {"sparse", sparse}};
}

// Titles of every length before words that may not start a line, so that each soft break of the
// encoded body falls before each of them once. check_mails.py makes the same titles.
std::vector<std::pair<std::string, NotificationFacts>> sweep() {
  std::vector<std::pair<std::string, NotificationFacts>> all;
  const char* const tails[] = {
      ".hidden", "From here", "=41", "é.", "日本From ", ". . .", " . From x"};
  for (std::size_t tail = 0; tail < std::size(tails); ++tail) {
    for (std::size_t length = 0; length < 160; ++length) {
      NotificationFacts facts = usual_facts();
      facts.title = "T" + std::string(length, 'x') + tails[tail];
      facts.location = *facts.title;
      all.emplace_back("sweep-" + std::to_string(tail) + "-" + std::to_string(length), facts);
    }
  }
  return all;
}

int run(const std::filesystem::path& directory) {
  std::vector<std::pair<std::string, NotificationFacts>> all = samples();
  const Result<worker::TimeZone> zone = worker::TimeZone::load("America/Phoenix");
  if (!zone) return 1;
  for (auto& one : sweep()) all.push_back(std::move(one));
  for (const auto& [name, facts] : all) {
    mail::Letter letter;
    letter.key =
        "6f1c2e4a-0000-4000-8000-000000000001." + notification_type_name(facts.type) + ".42";
    letter.recipient = "student@example.edu";
    letter.sent_at = from_unix_ms(1'764'081'216'000);
    mail::MailIdentity identity{"PickMyClass <notify@example.org>", "https://pickmyclass.example"};
    if (name == "unicode") identity.from = "Mein \"Kurs\" für alle <notify@example.org>";
    const mail::Content content =
        render_notification(facts, letter.key, identity.public_url, *zone);
    const Result<mail::Message> message = mail::compose(letter, content, identity);
    if (!message) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), message.error().to_string().c_str());
      return 1;
    }
    std::ofstream out(directory / (name + ".eml"), std::ios::binary);
    out << message->content;
  }
  return 0;
}

}  // namespace
}  // namespace edged::class_monitor

int main(int count, char** arguments) {
  return count == 2 ? edged::class_monitor::run(arguments[1]) : 2;
}
