// SPDX-License-Identifier: Apache-2.0
// The facts that mail tests begin with: everything known, nothing unusual.
#pragma once

#include "worker/class_monitor/notification.h"

namespace edged::mail {

inline MailFacts sample_facts() {
  MailFacts facts;
  facts.notification_id = "6f1c2e4a-0000-4000-8000-000000000001.seat_available.42";
  facts.recipient = "student@example.edu";
  facts.class_nbr = "12431";
  facts.term = "2261";
  facts.subject = "CSE";
  facts.catalog_nbr = "310";
  facts.title = "Data Structures";
  facts.instructor = "Jane Doe";
  facts.location = "BYAC 110";
  facts.meeting_times = "MW 9:00-10:15";
  facts.seats_available = 3;
  facts.seats_capacity = 120;
  facts.checked_at = from_unix_ms(1'764'081'215'123);  // 2025-11-25T14:33:35.123Z
  facts.created_at = from_unix_ms(1'764'081'216'000);
  return facts;
}

inline MailIdentity sample_identity() {
  return {"PickMyClass <notify@example.org>", "https://pickmyclass.example"};
}

}  // namespace edged::mail
