// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/strict_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "proto/base/numbers.h"
#include "proto/base/status.h"
#include "proto/base/units.h"

namespace edged {
namespace {

constexpr char kMark = '\x01';

std::string unprotected(const std::string& text) {
  return text.starts_with(kMark) ? text.substr(1) : text;
}

// Calls `read` with the option's text; `read` returns what is wrong with it, or ok.
template <typename Read>
CLI::Option* add_strict(CLI::App& command,
                        const std::string& names,
                        const std::string& description,
                        Read read) {
  const std::string shown = names.substr(names.rfind(',') + 1);
  auto callback = [shown, read = std::move(read)](const CLI::results_t& texts) {
    const Status status = read(unprotected(texts.back()));
    if (!status.ok()) throw CLI::ValidationError(shown, status.message());
    return true;
  };
  CLI::Option* option =
      command.add_option(names, CLI::callback_t(std::move(callback)), description);
  option->run_callback_for_default(false);
  return option;
}

template <typename Number, typename Out>
Status take(const Result<Number>& read, Out& out) {
  if (!read) return read.error();
  out = static_cast<Number>(*read);
  return {};
}

}  // namespace

CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        std::int64_t& out,
                        const std::string& description) {
  return add_strict(command,
                    names,
                    description,
                    [&out](const std::string& text) { return take(parse_int64(text), out); })
      ->type_name("N");
}

CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        std::uint64_t& out,
                        const std::string& description,
                        NumberRange range) {
  return add_strict(command,
                    names,
                    description,
                    [&out, range](const std::string& text) {
                      return take(parse_uint64(text, range.min, range.max), out);
                    })
      ->type_name("N");
}

CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        int& out,
                        const std::string& description,
                        NumberRange range) {
  constexpr std::uint64_t kIntMax = std::numeric_limits<int>::max();
  range.max = std::min(range.max, kIntMax);
  return add_strict(command,
                    names,
                    description,
                    [&out, range](const std::string& text) {
                      std::uint64_t number = 0;
                      const Status status = take(parse_uint64(text, range.min, range.max), number);
                      if (status.ok()) out = static_cast<int>(number);
                      return status;
                    })
      ->type_name("N");
}

CLI::Option* add_number(CLI::App& command,
                        const std::string& names,
                        std::optional<std::uint64_t>& out,
                        const std::string& description) {
  return add_strict(command,
                    names,
                    description,
                    [&out](const std::string& text) { return take(parse_uint64(text), out); })
      ->type_name("N");
}

CLI::Option* add_duration(CLI::App& command,
                          const std::string& names,
                          std::optional<std::chrono::milliseconds>& out,
                          const std::string& description,
                          DurationMin min) {
  return add_strict(command,
                    names,
                    description,
                    [&out, min](const std::string& text) {
                      const auto read = parse_duration(text);
                      if (read && read->count() == 0 && min == DurationMin::kPositive) {
                        return Status(Code::kInvalidArgument, "must be more than 0");
                      }
                      return take(read, out);
                    })
      ->type_name("DURATION");
}

CLI::Option* add_argument(CLI::App& command,
                          const std::string& names,
                          std::string& out,
                          const std::string& description) {
  return add_strict(command,
                    names,
                    description,
                    [&out](const std::string& text) {
                      out = text;
                      return Status();
                    })
      ->type_name("TEXT");
}

CLI::Option* add_argument(CLI::App& command,
                          const std::string& names,
                          std::optional<std::string>& out,
                          const std::string& description) {
  return add_strict(command,
                    names,
                    description,
                    [&out](const std::string& text) {
                      out = text;
                      return Status();
                    })
      ->type_name("TEXT");
}

CLI::Option* add_texts(CLI::App& command,
                       const std::string& names,
                       std::vector<std::string>& out,
                       const std::string& description,
                       char delimiter) {
  auto callback = [names, &out](const CLI::results_t& texts) {
    out.clear();
    for (const std::string& text : texts) out.push_back(unprotected(text));
    if (out.empty() || std::find(out.begin(), out.end(), "") != out.end()) {
      throw CLI::ValidationError(names, "is empty");
    }
    return true;
  };
  CLI::Option* option =
      command.add_option(names, CLI::callback_t(std::move(callback)), description);
  option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
  if (delimiter != '\0') option->delimiter(delimiter);
  return option->type_name("TEXT");
}

std::string protect(std::string argument) {
  std::size_t value = 0;
  if (argument.starts_with("--")) {
    const std::size_t equals = argument.find('=');
    value = equals == std::string::npos ? argument.size() : equals + 1;
  }
  if (value < argument.size() && (argument[value] == '[' || argument[value] == kMark)) {
    argument.insert(value, 1, kMark);
  }
  return argument;
}

CLI::Option* add_text(CLI::App& command,
                      const std::string& names,
                      std::string& out,
                      const std::string& description) {
  return add_strict(command,
                    names,
                    description,
                    [&out](const std::string& text) {
                      if (text.empty()) return Status(Code::kInvalidArgument, "is empty");
                      out = text;
                      return Status();
                    })
      ->type_name("TEXT");
}

}  // namespace edged
