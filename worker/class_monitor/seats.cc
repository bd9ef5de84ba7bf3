// SPDX-License-Identifier: Apache-2.0
#include "worker/class_monitor/seats.h"

namespace edged::mail {

Opening judge_state(const Seats& known, bool include_reserved) {
  const bool plain = !include_reserved && known.non_reserved;
  const std::optional<std::int64_t>& seats = plain ? known.non_reserved : known.available;
  if (!seats) return Opening::kUnknown;
  return *seats > 0 ? Opening::kOpen : Opening::kClosed;
}

Opening judge_answer(const Seats& known, const Seats& seen, bool include_reserved) {
  const bool detail_lost = known.non_reserved && !seen.non_reserved;
  const bool none_at_all = seen.available && *seen.available <= 0;
  if (detail_lost && !none_at_all) return Opening::kUnknown;
  return judge_state(seen, include_reserved);
}

}  // namespace edged::mail
