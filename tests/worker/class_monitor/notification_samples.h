// SPDX-License-Identifier: Apache-2.0
// The facts that tests of notifications begin with: everything known, nothing unusual.
#pragma once

#include "worker/class_monitor/notification_facts.h"

namespace edged::class_monitor {

inline NotificationFacts usual_facts() {
  NotificationFacts facts;
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
  return facts;
}

}  // namespace edged::class_monitor
