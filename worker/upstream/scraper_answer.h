// SPDX-License-Identifier: Apache-2.0
// The scraper's answer, from JSON text to an observation. Each field is judged alone: a field that
// is missing, null, of the wrong type or not parsable is unknown and does not affect the others.
// Pure; any thread.
#pragma once

#include <string_view>

#include "proto/base/status.h"
#include "worker/upstream/section_source.h"
#include "worker/upstream/words.h"

namespace edged::upstream {

// Numbers may be JSON numbers, decimal strings or one of the field's zero words; one that is no
// integer or is beyond ±1,000,000 is unknown, a negative one is kept. A blank string is unknown,
// but a blank instructor is "": nobody is assigned. Strings over 4096 bytes or with a NUL
// (PostgreSQL has none) are unknown. Bad characters are repaired (answer_json.h). Errors: kNotFound
// with the upstream's words for `success:false`; kCorruption if the text is not JSON, `success` is
// no boolean, or `data` of a success is no object.
Result<SectionObservation> parse_scraper_answer(std::string_view body, const ZeroWords& zero = {});

}  // namespace edged::upstream
