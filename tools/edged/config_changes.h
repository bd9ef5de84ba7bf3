// SPDX-License-Identifier: Apache-2.0
// What changed in the files of a configuration, and keys that have another name now. Pure; any
// thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/edged/config.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/config_reader.h"
#include "tools/edged/json_document.h"

namespace edged::config {

// As load_config(request), and what the files say.
Loaded load_config(const LoadRequest& request, WrittenValues& written);

// Paths from the top, of at most two names: "log_level", "node.disk_quota".
struct RenamedKey {
  std::string_view before, now;
};

// Those of this release; none so far. A row stays for at least one release.
std::span<const RenamedKey> renamed_keys();

// Moves what stands under an old name to the new one, and warns with the place of the old one. If
// the file has both, that is an error.
void rename_keys(Json& document, std::span<const RenamedKey> renamed, ReadContext& context);

// Adds what a file says, by the path of each key that holds no object: strings as they are written,
// with ${NAME}. Of a wrangler file only the keys that edged reads. Never to be logged: it has
// secrets.
void note_values(const Json& document, bool wrangler, WrittenValues& values);

// The paths that differ, sorted, of keys that the program of `scope` reads at its start; log_level,
// which is taken over at once, is not among them.
std::vector<std::string> changed_keys(const WrittenValues& before,
                                      const WrittenValues& after,
                                      Scope scope);

}  // namespace edged::config
