// SPDX-License-Identifier: Apache-2.0
// Command-line options of edged and kvctl whose text is read strictly: CLI11 by itself takes "010"
// for eight, wraps numbers that do not fit and ignores an empty text. What is refused here makes
// parsing fail with CLI::ValidationError (exit code 2). One thread; `out` outlives the parsing.
#pragma once

#include <CLI/App.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace edged {

struct NumberRange {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

// Whole numbers in decimal digits (proto/base/numbers.h).
CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        std::int64_t& out,
                        const std::string& description);
CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        std::uint64_t& out,
                        const std::string& description,
                        NumberRange range = {});
CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        int& out,
                        const std::string& description,
                        NumberRange range);
CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        std::optional<std::uint64_t>& out,
                        const std::string& description);

// "250ms", "60s", "1h" (proto/base/units.h), and with kPositive more than nothing.
enum class DurationMin { kZero, kPositive };
CLI::Option* add_duration(CLI::App& command,
                          const std::string& names,
                          std::optional<std::chrono::milliseconds>& out,
                          const std::string& description,
                          DurationMin min = DurationMin::kPositive);

// Any text, taken as it is.
CLI::Option* add_argument(CLI::App& command,
                          const std::string& names,
                          std::string& out,
                          const std::string& description);
CLI::Option* add_argument(CLI::App& command,
                          const std::string& names,
                          std::optional<std::string>& out,
                          const std::string& description);

// Several texts, none of them empty. With `delimiter` a text may name several.
CLI::Option* add_texts(CLI::App& command,
                       const std::string& names,
                       std::vector<std::string>& out,
                       const std::string& description,
                       char delimiter = '\0');

// CLI11 reads "[a,b]" as a list of two texts. protect() marks such a command-line argument, so that
// CLI11 leaves it alone; the options above take the mark off again.
std::string protect(std::string argument);

// Any text but the empty one, which is what an unset shell variable leaves.
CLI::Option* add_text(CLI::App& command,
                      const std::string& names,
                      std::string& out,
                      const std::string& description);

}  // namespace edged
