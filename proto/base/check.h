// SPDX-License-Identifier: Apache-2.0
// KV_CHECK: an invariant that stays on in production. It is for bugs only; bad input is answered
// with a Status and never aborts.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace edged::internal {
[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}
}  // namespace edged::internal

#define KV_CHECK(condition) \
  ((condition) ? void(0) : ::edged::internal::check_failed(#condition, __FILE__, __LINE__))
