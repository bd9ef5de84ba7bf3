// SPDX-License-Identifier: Apache-2.0
#include "proto/base/units.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "proto/base/numbers.h"

namespace edged {
namespace {

// "1.5m": whole 1, fraction 5 of 10, unit "m".
struct Quantity {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;
  std::uint64_t fraction_scale = 1;
  std::string_view unit;
};

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::string_view kDigits = "0123456789";
// With the largest factor, a tebibyte, the product fits 64 bits.
constexpr std::size_t kFractionDigitsMax = 6;

constexpr std::array<Unit, 5> kDurationUnits{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::uint64_t kDurationMsMax = 3'155'760'000'000;  // 100 years of 365.25 days

constexpr std::array<Unit, 10> kSizeUnits{{{"", 1},
                                           {"B", 1},
                                           {"KB", 1'000},
                                           {"MB", 1'000'000},
                                           {"GB", 1'000'000'000},
                                           {"TB", 1'000'000'000'000},
                                           {"KiB", 1ULL << 10},
                                           {"MiB", 1ULL << 20},
                                           {"GiB", 1ULL << 30},
                                           {"TiB", 1ULL << 40}}};
constexpr std::uint64_t kSizeBytesMax = 1ULL << 53;  // 8 PiB

Status refused(std::string_view text, const std::string& why) {
  return {Code::kInvalidArgument, "\"" + std::string(text) + "\" " + why};
}

// Takes the number off the front of `text`: digits, and perhaps a point with more digits.
Result<Quantity> split_quantity(std::string_view text, const std::string& kind) {
  Quantity quantity;
  std::size_t end = std::min(text.find_first_not_of(kDigits), text.size());
  if (end == 0) return refused(text, "is not a " + kind);
  if (end > 1 && text.front() == '0') {
    return refused(text, "begins with a zero. Write it without leading zeros");
  }
  const auto whole = parse_uint64(text.substr(0, end));
  quantity.whole = whole ? *whole : ~std::uint64_t{0};  // too large: above every limit
  if (end < text.size() && text[end] == '.') {
    const std::size_t from = end + 1;
    end = std::min(text.find_first_not_of(kDigits, from), text.size());
    if (end == from || end - from > kFractionDigitsMax) {
      return refused(text, "is not a " + kind + ": 1 to 6 digits may stand behind the point");
    }
    for (std::size_t i = from; i < end; ++i) {
      quantity.fraction = quantity.fraction * 10 + static_cast<std::uint64_t>(text[i] - '0');
      quantity.fraction_scale *= 10;
    }
  }
  quantity.unit = text.substr(end);
  while (!quantity.unit.empty() && quantity.unit.front() == ' ') quantity.unit.remove_prefix(1);
  return quantity;
}

template <std::size_t N>
const std::uint64_t* find_factor(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit.factor;
  }
  return nullptr;
}

// False if it is above `max`. What is left of a unit of one goes into `rest`.
bool multiply(const Quantity& quantity,
              std::uint64_t factor,
              std::uint64_t max,
              std::uint64_t& product,
              std::uint64_t& rest) {
  const std::uint64_t part = quantity.fraction * factor;
  rest = part % quantity.fraction_scale;
  if (__builtin_mul_overflow(quantity.whole, factor, &product) ||
      __builtin_add_overflow(product, part / quantity.fraction_scale, &product)) {
    return false;
  }
  return product <= max;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto quantity = split_quantity(text, "duration such as \"250ms\", \"5s\" or \"1h\"");
  if (!quantity) return quantity.error();
  if (quantity->unit.empty()) {
    return refused(text,
                   "has no unit of time. Write \"" + std::string(text) +
                       "s\" for seconds; "
                       "the units are ms, s, m, h and d");
  }
  const std::uint64_t* factor = find_factor(kDurationUnits, quantity->unit);
  if (factor == nullptr) {
    return refused(text, "has an unknown unit of time. Use ms, s, m, h or d");
  }
  std::uint64_t ms = 0, rest = 0;
  if (!multiply(*quantity, *factor, kDurationMsMax, ms, rest)) {
    return refused(text, "is longer than 100 years");
  }
  if (rest != 0) return refused(text, "is not a whole number of milliseconds");
  return std::chrono::milliseconds(ms);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto quantity = split_quantity(text, "size such as \"64KiB\" or \"10GiB\"");
  if (!quantity) return quantity.error();
  const std::uint64_t* factor = find_factor(kSizeUnits, quantity->unit);
  if (factor == nullptr) {
    return refused(text, "has an unknown unit. Use KiB, MiB, GiB, TiB, KB, MB, GB or TB");
  }
  std::uint64_t bytes = 0, rest = 0;
  if (!multiply(*quantity, *factor, kSizeBytesMax, bytes, rest)) {
    return refused(text, "is larger than 8 PiB");
  }
  // "0.1GiB" is rounded down; a part of one byte, or less than one, is a mistake.
  if (rest != 0 && (*factor == 1 || bytes == 0)) {
    return refused(text, "is not a whole number of bytes");
  }
  return bytes;
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
