// SPDX-License-Identifier: Apache-2.0
// A claimed row of edged.mails, and the facts in it. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/class_monitor/notification.h"
#include "worker/db/pg_result.h"

namespace edged::mail {

// Names a lease of a row: every change to a row that is being sent gives it.
struct LeaseKey {
  std::int64_t id = 0;
  std::int64_t number = 0;
};

struct OutboxRow {
  LeaseKey lease;
  int attempts = 0;  // this one included; known from the last look on
  std::string notification_id, notification_type, class_nbr, term, recipient;
  std::string facts;  // JSON object
  WallTime created_at{};
  bool is_late = false;
  std::chrono::milliseconds looked_at{};  // boot time before the last look
};

// The rows that the statement claim_due returned: late ones last, else by id.
std::vector<OutboxRow> read_claimed_rows(const db::PgResult& result);

// The facts of a row. The keys of its JSON are MailFacts' field names; an absent or null one is
// unknown. Errors: kInvalidArgument if the type is unknown, the JSON is no object, a field has
// another type, or checked_at is no RFC 3339 time.
Result<MailFacts> read_facts(const OutboxRow& row);

}  // namespace edged::mail
