// SPDX-License-Identifier: Apache-2.0
// Translation of SQLSTATE codes and of libpq's connection messages.
#include "worker/db/pg_error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace edged::db {
namespace {

struct Translation {
  std::string_view prefix;  // of the SQLSTATE; the first that matches holds
  Code code;
};

constexpr std::array kTranslations{
    Translation{"40001", Code::kConflict},          // serialization_failure
    Translation{"40P01", Code::kConflict},          // deadlock_detected
    Translation{"55P03", Code::kConflict},          // lock_not_available
    Translation{"23503", Code::kConflict},          // foreign_key_violation: a row went meanwhile
    Translation{"57014", Code::kDeadlineExceeded},  // query_canceled: statement_timeout
    Translation{"57P", Code::kUnknownOutcome},      // the server ends the connection
    Translation{"08", Code::kUnknownOutcome},       // connection exceptions
    Translation{"42501", Code::kDenied},            // insufficient_privilege
    Translation{"28", Code::kDenied},               // invalid authorization
    Translation{"25006", Code::kUnavailable},       // read_only_sql_transaction: a standby
    Translation{"53100", Code::kDiskFull},
    Translation{"53", Code::kUnavailable},  // insufficient resources
    Translation{"58", Code::kIoError},      // system errors
    Translation{"XX001", Code::kCorruption},
    Translation{"XX002", Code::kCorruption},
    Translation{"XX", Code::kInternal},
};

constexpr std::string_view kCouldNotConnect = "could not connect to PostgreSQL: ";

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

// "… failed: FATAL:  28P01: password …": a verbose message names the code after the severity.
std::size_t find_sqlstate(std::string_view line) {
  for (std::size_t at = line.find(":  "); at != std::string_view::npos;
       at = line.find(":  ", at + 1)) {
    const std::size_t code = at + 3;
    if (is_sqlstate(line.substr(code, 5)) && line.substr(code + 5, 2) == ": ") return code;
  }
  return std::string_view::npos;
}

}  // namespace

Code code_for_sqlstate(std::string_view sqlstate) {
  if (sqlstate.empty()) return Code::kUnknownOutcome;
  for (const Translation& translation : kTranslations) {
    if (sqlstate.starts_with(translation.prefix)) return translation.code;
  }
  return Code::kInvalidArgument;
}

Status statement_error(std::string_view sqlstate,
                       std::string_view message,
                       std::string_view detail) {
  const Code code = code_for_sqlstate(sqlstate);
  if (sqlstate.empty())
    return Status(code, "the connection to PostgreSQL was lost while a statement ran");
  std::string text(message);
  if (!detail.empty()) text.append(" (").append(detail).append(")");
  text.append(" (SQLSTATE ").append(sqlstate).append(")");
  return Status(code, std::move(text));
}

Status connect_error(std::string_view libpq_message) {
  std::string line(libpq_message.substr(0, libpq_message.find('\n')));
  Code code = Code::kUnavailable;
  if (const std::size_t at = find_sqlstate(line); at != std::string::npos) {
    if (code_for_sqlstate(line.substr(at, 5)) == Code::kDenied) code = Code::kDenied;
    line.erase(at - 1, 8);  // " 28P01: "
  }
  if (line.empty()) line = "no connection";
  if (line.find("unsupported startup parameter") != std::string::npos) {
    line += ". This is a pooler: set postgres.session_state to false";
  }
  return Status(code, std::string(kCouldNotConnect) + line);
}

bool is_refusal(std::string_view libpq_message) {
  // libpq may have tried with and without TLS: what was said last counts.
  bool refused = false;
  while (!libpq_message.empty()) {
    const std::size_t end = std::min(libpq_message.find('\n'), libpq_message.size());
    const std::string_view line = libpq_message.substr(0, end);
    if (const std::size_t at = find_sqlstate(line); at != std::string_view::npos) {
      const Code code = code_for_sqlstate(line.substr(at, 5));
      refused = code == Code::kDenied || code == Code::kInvalidArgument;
    }
    libpq_message.remove_prefix(std::min(end + 1, libpq_message.size()));
  }
  return refused;
}

Status join_connect_errors(const std::vector<Status>& errors) {
  constexpr std::size_t kNamedMax = 4;
  std::string text;
  for (std::size_t i = 0; i < errors.size() && i < kNamedMax; ++i) {
    std::string_view said = errors[i].message();
    if (i > 0) {
      if (said.starts_with(kCouldNotConnect)) said.remove_prefix(kCouldNotConnect.size());
      text += "; ";
    }
    text += said;
  }
  if (errors.size() > kNamedMax) {
    text += "; and " + std::to_string(errors.size() - kNamedMax) + " more";
  }
  return Status(errors.back().code(), std::move(text));
}

}  // namespace edged::db
