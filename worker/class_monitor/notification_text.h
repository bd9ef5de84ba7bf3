// SPDX-License-Identifier: Apache-2.0
// The words of a notification: one list of lines feeds the text and the HTML, so that they never
// disagree, and a fact that is unknown has no line. Equal arguments give equal bytes. Pure; any
// thread.
#pragma once

#include <string>
#include <vector>

#include "worker/class_monitor/notification_facts.h"
#include "worker/cron/time_zone.h"

namespace edged::class_monitor {

struct FactLine {
  std::string label;
  std::string value;
};

struct NotificationText {
  std::string subject;
  std::string heading;  // "CSE 310: Data Structures"
  std::string summary;  // what is new, in a few words: "3 open of 120"
  std::string lead;     // a sentence
  std::vector<FactLine> lines;
  std::string url;  // of the reader's watches; empty: not known
};

// Every text in it is one line of valid UTF-8. `url` is kept only if it is an HTTP address; times
// are those of `zone`.
NotificationText word_notification(const NotificationFacts& facts,
                                   const std::string& url,
                                   const worker::TimeZone& zone);

std::string text_part(const NotificationText& text);
// A whole document. Readable at 360 pixels, and in the dark where the reader's program says so.
std::string html_part(const NotificationText& text);

}  // namespace edged::class_monitor
