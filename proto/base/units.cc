// SPDX-License-Identifier: Apache-2.0
#include "proto/base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

namespace edged {
namespace {

struct Quantity {
  double number = 0;
  std::string_view unit;
};

Result<Quantity> split_quantity(std::string_view text, std::string_view kind) {
  Quantity quantity;
  const auto [end, error] = std::from_chars(
      text.data(), text.data() + text.size(), quantity.number, std::chars_format::fixed);
  if (error != std::errc() || quantity.number < 0) {
    return Status(Code::kInvalidArgument,
                  "\"" + std::string(text) + "\" is not a " + std::string(kind));
  }
  quantity.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!quantity.unit.empty() && quantity.unit.front() == ' ') quantity.unit.remove_prefix(1);
  return quantity;
}

template <std::size_t N>
const double* find_unit(const std::array<std::pair<std::string_view, double>, N>& units,
                        std::string_view unit) {
  for (const auto& [name, factor] : units) {
    if (name == unit) return &factor;
  }
  return nullptr;
}

constexpr std::array<std::pair<std::string_view, double>, 5> kDurationUnits{
    {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
constexpr double kDurationMsMax = 100.0 * 365.25 * 86400e3;

constexpr std::array<std::pair<std::string_view, double>, 9> kSizeUnits{{{"", 1},
                                                                         {"B", 1},
                                                                         {"KB", 1e3},
                                                                         {"MB", 1e6},
                                                                         {"GB", 1e9},
                                                                         {"KiB", 1024},
                                                                         {"MiB", 1048576},
                                                                         {"GiB", 1073741824},
                                                                         {"TiB", 1099511627776}}};
constexpr double kSizeBytesMax = 9007199254740992;  // 2^53: what a double counts exactly

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto quantity = split_quantity(text, "duration such as \"250ms\", \"5s\" or \"1h\"");
  if (!quantity) return quantity.error();
  const double* factor = find_unit(kDurationUnits, quantity->unit);
  if (factor == nullptr) {
    return Status(Code::kInvalidArgument,
                  "\"" + std::string(text) + "\" has no unit of time. Use ms, s, m, h or d");
  }
  const double ms = quantity->number * *factor;
  if (ms > kDurationMsMax) {
    return Status(Code::kInvalidArgument, "\"" + std::string(text) + "\" is longer than 100 years");
  }
  return std::chrono::milliseconds(std::llround(ms));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto quantity = split_quantity(text, "size such as \"64KiB\" or \"10GiB\"");
  if (!quantity) return quantity.error();
  const double* factor = find_unit(kSizeUnits, quantity->unit);
  if (factor == nullptr) {
    return Status(
        Code::kInvalidArgument,
        "\"" + std::string(text) + "\" has an unknown unit. Use KiB, MiB, GiB, KB, MB or GB");
  }
  const double bytes = quantity->number * *factor;
  if (bytes > kSizeBytesMax) {
    return Status(Code::kInvalidArgument, "\"" + std::string(text) + "\" is too large");
  }
  return static_cast<std::uint64_t>(std::llround(bytes));
}

std::string format_duration(std::chrono::milliseconds duration) {
  const double ms = static_cast<double>(duration.count());
  char text[48];
  if (ms < 1e3) {
    std::snprintf(text, sizeof text, "%.0f ms", ms);
  } else if (ms < 60e3) {
    std::snprintf(text, sizeof text, "%.3g s", ms / 1e3);
  } else if (ms < 3600e3) {
    std::snprintf(text, sizeof text, "%.3g min", ms / 60e3);
  } else if (ms < 48 * 3600e3) {
    std::snprintf(text, sizeof text, "%.3g h", ms / 3600e3);
  } else {
    std::snprintf(text, sizeof text, "%.3g d", ms / 86400e3);
  }
  return text;
}

}  // namespace edged
