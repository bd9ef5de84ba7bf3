// SPDX-License-Identifier: Apache-2.0
// What an HTTP answer of an upstream, or the lack of one, means. Pure; any thread.
#pragma once

#include <functional>
#include <string_view>

#include "worker/upstream/attempt.h"
#include "worker/upstream/http_client.h"

namespace edged::upstream {

// An answer's body as an observation. Errors: kNotFound (there is no such section); kCorruption.
using ParseAnswer = std::function<Result<SectionObservation>(std::string_view body)>;

Attempt judge_answer(const Result<HttpAnswer>& answer, const ParseAnswer& parse);

}  // namespace edged::upstream
