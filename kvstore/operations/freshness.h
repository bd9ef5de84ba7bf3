// SPDX-License-Identifier: Apache-2.0
// How fresh a mirrored key has to be for a reader. Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kvstore/storage/store.h"
#include "proto/base/status.h"

namespace edged::operations {

struct FreshnessTerms {
  std::optional<std::chrono::milliseconds> staleness_max;
  std::optional<std::string> position_min;  // that the mirror must have reached
};

// `mirror` is asked for (Store::mirror_of) before the key is read; the terms hold for what is read
// if its state is the same behind. Errors: kStale, with the reason.
Status judge_freshness(const std::optional<storage::MirrorFreshness>& mirror,
                       const FreshnessTerms& terms);

}  // namespace edged::operations
