// SPDX-License-Identifier: Apache-2.0
#include "worker/db/pg_quote.h"

namespace edged::db {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string all(1, quote);
  for (const char c : text) {
    if (c == quote) all += quote;
    all += c;
  }
  return all + quote;
}

}  // namespace

std::string quoted_identifier(std::string_view name) {
  return quoted(name, '"');
}

std::string quoted_literal(std::string_view text) {
  return quoted(text, '\'');
}

}  // namespace edged::db
