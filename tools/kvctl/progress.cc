// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/progress.h"

#include <unistd.h>

#include <cinttypes>
#include <cstdio>

namespace edged::kvctl {

Progress::Progress(const char* verb, const char* things)
    : verb_(verb), things_(things), on_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}

void Progress::show(std::uint64_t entries, std::uint64_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (!on_ || now < next_) return;
  next_ = now + std::chrono::milliseconds(500);
  shown_ = true;
  std::fprintf(stderr,
               "\r\033[Kkvctl: %s %" PRIu64 " %s, %.1f MiB",
               verb_,
               entries,
               things_,
               static_cast<double>(bytes) / (1024.0 * 1024.0));
}

}  // namespace edged::kvctl
