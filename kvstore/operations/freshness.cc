// SPDX-License-Identifier: Apache-2.0
// See freshness.h.
#include "kvstore/operations/freshness.h"

namespace edged::operations {

Status judge_freshness(const std::optional<storage::MirrorFreshness>& mirror,
                       const FreshnessTerms& terms) {
  const auto stale = [](std::string why) { return Status(Code::kStale, std::move(why)); };
  if (!mirror) return stale("no mirror owns the key, its freshness is unknown");
  if (!mirror->loaded) return stale("the key's mirror has not loaded it completely");
  if (!mirror->fresh_as_of) {
    return stale("the key's mirror has not reported how fresh its entries are");
  }
  if (terms.staleness_max && mirror->age > *terms.staleness_max) {
    return stale("the key's mirror is " + std::to_string(mirror->age.count()) +
                 " ms behind, the command allows " + std::to_string(terms.staleness_max->count()));
  }
  if (terms.position_min && (mirror->position.empty() || mirror->position < *terms.position_min)) {
    return stale("the key's mirror has not reached the position that is asked for");
  }
  return {};
}

}  // namespace edged::operations
