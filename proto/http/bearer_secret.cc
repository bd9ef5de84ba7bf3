// SPDX-License-Identifier: Apache-2.0
#include "proto/http/bearer_secret.h"

#include <cstddef>

#include "proto/http/request.h"

namespace edged::http {

bool bearer_matches(std::string_view header, std::string_view secret) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!equal_ignoring_case(header.substr(0, kScheme.size()), kScheme)) return false;
  const std::string_view given = header.substr(kScheme.size());
  // The time depends on what was given alone. volatile keeps the loop whole.
  volatile unsigned char difference = given.size() != secret.size() || secret.empty();
  for (std::size_t i = 0; i < given.size() && !secret.empty(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(given[i]) ^
                      static_cast<unsigned char>(secret[i % secret.size()])));
  }
  return difference == 0;
}

}  // namespace edged::http
