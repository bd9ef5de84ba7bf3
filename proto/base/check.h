// SPDX-License-Identifier: Apache-2.0
// KV_CHECK: an invariant that stays on in production. It is for bugs only; bad input is answered
// with a Status and never aborts.
#pragma once

namespace edged::internal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace edged::internal

#define KV_CHECK(condition) \
  ((condition) ? void(0) : ::edged::internal::check_failed(#condition, __FILE__, __LINE__))
