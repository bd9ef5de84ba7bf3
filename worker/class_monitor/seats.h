// SPDX-License-Identifier: Apache-2.0
// Whether a section is open, for a mail that waited too long: the rule of docs/class-monitor.md,
// "Truth table". Pure; any thread.
#pragma once

#include "worker/class_monitor/seat_inquiry.h"

namespace edged::mail {

using class_monitor::Seats;
enum class Opening { kOpen, kClosed, kUnknown };

// By the last known state. `include_reserved`: the watch counts reserved seats too.
Opening judge_state(const Seats& known, bool include_reserved);

// By an answer of the upstream, of a section of which `known` was known before. An answer without
// the non-reserved seats, where they were known, says nothing unless no seat is available at all:
// its detail could not be read.
Opening judge_answer(const Seats& known, const Seats& seen, bool include_reserved);

}  // namespace edged::mail
