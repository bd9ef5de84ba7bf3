// SPDX-License-Identifier: Apache-2.0
// What an HTTP answer of an upstream, or the lack of one, means. Pure; any thread.
#pragma once

#include <functional>
#include <string_view>

#include "worker/http/http_client.h"
#include "worker/upstream/attempt.h"

namespace edged::upstream {

// An answer's body as an observation. Errors: kNotFound (there is no such section); kCorruption.
using ParseAnswer = std::function<Result<SectionObservation>(std::string_view body)>;

Attempt judge_answer(const Result<http::HttpAnswer>& answer, const ParseAnswer& parse);

}  // namespace edged::upstream
