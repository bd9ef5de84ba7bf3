// SPDX-License-Identifier: Apache-2.0
// Checks upstream.zero_words, upstream.cancelled_values and upstream.fields.status of a
// configuration. Pure; any thread.
#pragma once

#include "tools/edged/config.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// Complains about words that are of no use, and about those of a field that the answer does not
// have.
void check_answer_words(const Upstream& from, ReadContext& context);

}  // namespace edged::config
