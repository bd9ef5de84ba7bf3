// SPDX-License-Identifier: Apache-2.0
// The seat rule as named cases. edged.seat_rule() and its C++ copy, merge() in section_state.h, are
// both held against them.
#pragma once

#include <optional>

namespace edged::class_monitor {

// Seats with and without the reserved ones; nothing: not known.
struct SeatPair {
  std::optional<int> available, non_reserved;
};

enum class Turn { kNone, kOpened, kFilled };

struct SeatRuleCase {
  const char* name;
  SeatPair old, seen, stored;
  Turn turn;                // for watches that do not count reserved seats
  Turn turn_with_reserved;  // for the others
  // Open seats by what was seen alone, for the same two; nothing: it does not say.
  std::optional<int> open, open_with_reserved;
};

inline constexpr std::nullopt_t kUnknown = std::nullopt;

inline const SeatRuleCase kSeatRuleCases[] = {
    // First sight: nothing to compare with.
    {"first sight, open", {}, {3, {}}, {3, {}}, Turn::kNone, Turn::kNone, 3, 3},
    {"first sight, full", {}, {0, {}}, {0, {}}, Turn::kNone, Turn::kNone, 0, 0},
    {"first sight, nothing known", {}, {}, {}, Turn::kNone, Turn::kNone, kUnknown, kUnknown},
    {"first sight, detail", {}, {5, 2}, {5, 2}, Turn::kNone, Turn::kNone, 2, 5},
    {"first sight, detail alone", {}, {{}, 2}, {2, 2}, Turn::kNone, Turn::kNone, 2, kUnknown},
    // Without detail.
    {"opens", {0, {}}, {3, {}}, {3, {}}, Turn::kOpened, Turn::kOpened, 3, 3},
    {"fills up", {3, {}}, {0, {}}, {0, {}}, Turn::kFilled, Turn::kFilled, 0, 0},
    {"more seats", {3, {}}, {5, {}}, {5, {}}, Turn::kNone, Turn::kNone, 5, 5},
    {"fewer seats", {5, {}}, {1, {}}, {1, {}}, Turn::kNone, Turn::kNone, 1, 1},
    {"stays full", {0, {}}, {0, {}}, {0, {}}, Turn::kNone, Turn::kNone, 0, 0},
    {"not known, was open", {3, {}}, {}, {3, {}}, Turn::kNone, Turn::kNone, kUnknown, kUnknown},
    {"not known, was full", {0, {}}, {}, {0, {}}, Turn::kNone, Turn::kNone, kUnknown, kUnknown},
    {"stored negative opens", {-2, {}}, {1, {}}, {1, {}}, Turn::kOpened, Turn::kOpened, 1, 1},
    {"stored negative stays full", {-2, {}}, {0, {}}, {0, {}}, Turn::kNone, Turn::kNone, 0, 0},
    // With detail.
    {"a plain seat opens", {5, 0}, {5, 2}, {5, 2}, Turn::kOpened, Turn::kNone, 2, 5},
    {"a reserved seat opens", {0, 0}, {4, 0}, {4, 0}, Turn::kNone, Turn::kOpened, 0, 4},
    {"both open", {0, 0}, {4, 1}, {4, 1}, Turn::kOpened, Turn::kOpened, 1, 4},
    {"the plain ones fill up", {5, 2}, {3, 0}, {3, 0}, Turn::kFilled, Turn::kNone, 0, 3},
    {"all fill up", {5, 2}, {0, 0}, {0, 0}, Turn::kFilled, Turn::kFilled, 0, 0},
    {"the reserved ones fill up", {3, 0}, {0, 0}, {0, 0}, Turn::kNone, Turn::kFilled, 0, 0},
    {"detail overbooked", {5, 2}, {5, -1}, {5, -1}, Turn::kFilled, Turn::kNone, 0, 5},
    // Detail that comes.
    {"detail comes, none plain", {7, {}}, {7, 0}, {7, 0}, Turn::kFilled, Turn::kNone, 0, 7},
    {"detail comes, some plain", {7, {}}, {7, 2}, {7, 2}, Turn::kNone, Turn::kNone, 2, 7},
    {"detail comes with an opening", {0, {}}, {7, 2}, {7, 2}, Turn::kOpened, Turn::kOpened, 2, 7},
    // Detail that cannot be read.
    {"detail lost, was plain", {5, 3}, {5, {}}, {5, 3}, Turn::kNone, Turn::kNone, {}, {}},
    {"detail lost, was none", {4, 0}, {7, {}}, {4, 0}, Turn::kNone, Turn::kNone, {}, {}},
    {"detail lost, was full", {0, 0}, {7, {}}, {0, 0}, Turn::kNone, Turn::kNone, {}, {}},
    {"detail lost, full", {5, 3}, {0, {}}, {0, 0}, Turn::kFilled, Turn::kFilled, 0, 0},
    {"detail lost, nothing known", {5, 3}, {}, {5, 3}, Turn::kNone, Turn::kNone, {}, {}},
    {"detail alone", {4, 3}, {{}, 1}, {4, 1}, Turn::kNone, Turn::kNone, 1, kUnknown},
    {"detail alone, none", {4, 3}, {{}, 0}, {4, 0}, Turn::kFilled, Turn::kNone, 0, kUnknown},
    {"detail alone, opens", {4, 0}, {{}, 1}, {4, 1}, Turn::kOpened, Turn::kNone, 1, kUnknown},
};

}  // namespace edged::class_monitor
