// SPDX-License-Identifier: Apache-2.0
// Compares the header Authorization: Bearer SECRET with the one secret of a route. Pure; any
// thread.
#pragma once

#include <string_view>

namespace edged::http {

// True if `header` is "Bearer " and the secret, which is not empty. Takes the same time wherever
// the two differ.
bool bearer_matches(std::string_view header, std::string_view secret);

}  // namespace edged::http
