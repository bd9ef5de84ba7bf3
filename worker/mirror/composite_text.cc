// SPDX-License-Identifier: Apache-2.0
// See composite_text.h.
#include "worker/mirror/composite_text.h"

#include <utility>

namespace edged::mirror {
namespace {

Status unexpected(std::string_view text) {
  return {Code::kInvalidArgument,
          "the text \"" + std::string(text.substr(0, 40)) +
              "\" does not have the form of a composite type"};
}

// One attribute, up to the comma or the parenthesis behind it. False: there is no such end.
bool take_attribute(std::string_view& rest, std::optional<std::string>& attribute) {
  bool in_quotes = false;
  while (!rest.empty()) {
    const char c = rest.front();
    if (!in_quotes && (c == ',' || c == ')')) return true;
    rest.remove_prefix(1);
    if (!attribute) attribute.emplace();
    if (c == '"' && in_quotes && rest.starts_with('"')) {
      *attribute += '"';
      rest.remove_prefix(1);
    } else if (c == '"') {
      in_quotes = !in_quotes;
    } else if (c == '\\' && !rest.empty()) {
      *attribute += rest.front();
      rest.remove_prefix(1);
    } else {
      *attribute += c;
    }
  }
  return false;
}

}  // namespace

Result<std::vector<std::optional<std::string>>> parse_composite(std::string_view text) {
  if (!text.starts_with('(')) return unexpected(text);
  std::string_view rest = text.substr(1);
  std::vector<std::optional<std::string>> attributes;
  for (bool more = true; more;) {
    std::optional<std::string> attribute;
    if (!take_attribute(rest, attribute)) return unexpected(text);
    attributes.push_back(std::move(attribute));
    more = rest.front() == ',';
    rest.remove_prefix(1);
  }
  if (!rest.empty()) return unexpected(text);
  return attributes;
}

}  // namespace edged::mirror
