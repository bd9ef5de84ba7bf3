// SPDX-License-Identifier: Apache-2.0
// For what another side says and may repeat. Pure.
#pragma once

#include <string>
#include <string_view>

namespace edged::mail {

// Each `secret` in `text` becomes "[hidden]". A secret of less than 4 bytes would spoil any text,
// and stays.
inline void hide_secret(std::string& text, std::string_view secret) {
  constexpr std::string_view kHidden = "[hidden]";
  if (secret.size() < 4) return;
  for (std::size_t at = text.find(secret); at != std::string::npos;
       at = text.find(secret, at + kHidden.size())) {
    text.replace(at, secret.size(), kHidden);
  }
}

}  // namespace edged::mail
