// SPDX-License-Identifier: Apache-2.0
// An array of texts as a parameter of a PostgreSQL statement. Pure; any thread.
#pragma once

#include <string>
#include <vector>

namespace edged::mail {

// {"a","b \"c\""}, for $1::text[].
inline std::string text_array(const std::vector<std::string>& texts) {
  std::string out("{");
  for (const std::string& text : texts) {
    out.append(out.size() > 1 ? ",\"" : "\"");
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out += '}';
}

}  // namespace edged::mail
