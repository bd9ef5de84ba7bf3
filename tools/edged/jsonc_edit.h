// SPDX-License-Identifier: Apache-2.0
// Changes single values of a JSONC document and leaves everything else, comments too, as it is. For
// `edged init`, which must not lose what somebody wrote into a configuration. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"

namespace edged::config {

// Keys from the outermost object: {"mail", "url"}.
using KeyPath = std::vector<std::string>;

// "mail.url" in parts.
KeyPath key_path(std::string_view dotted);

// The text with the value at `path` replaced by `json`, which is a value as JSON. Keys and objects
// that are not there are added at the beginning of the object that they belong to. Errors:
// kInvalidArgument: `text` is no JSONC document, or something on the path is no object.
Result<std::string> set_value(const std::string& text,
                              const KeyPath& path,
                              const std::string& json);

// The text without the key at `path`; the same text if there is none. Errors: as above.
Result<std::string> remove_key(const std::string& text, const KeyPath& path);

// The string at `path` as it is written, with ${NAME} in it. Nothing: there is no string.
std::optional<std::string> written_text(const std::string& text, const KeyPath& path);
// Whether anything stands at `path`.
bool has_key(const std::string& text, const KeyPath& path);

}  // namespace edged::config
