// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/soak.h"

#include <array>
#include <cstdio>

namespace edged::soak {
namespace {

constexpr std::chrono::seconds kTellEvery{10};

}  // namespace

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

bool Progress::next(std::uint64_t cycle, const std::string& figures) {
  const auto now = std::chrono::steady_clock::now();
  if (now - told_ >= kTellEvery) {
    told_ = now;
    std::printf("%llu of %llu, %s, %.0f s\n",
                static_cast<unsigned long long>(cycle),
                static_cast<unsigned long long>(options_.cycles),
                figures.c_str(),
                seconds());
    std::fflush(stdout);
  }
  return options_.time_limit.count() == 0 || now - begin_ < options_.time_limit;
}

std::string figure(double number, const char* unit) {
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%.1f %s", number, unit);
  return text.data();
}

std::string figure(std::uint64_t number, const char* unit) {
  return std::to_string(number) + " " + unit;
}

}  // namespace edged::soak
