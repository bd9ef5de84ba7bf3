// SPDX-License-Identifier: Apache-2.0
// What the configuration's values must mean together: addresses, schedules, ids, features of this
// version. Reads time zone files; any thread.
#pragma once

#include <string>
#include <string_view>

#include "tools/edged/config.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// Complaints and warnings go into `context`.
void check_config(const Config& config, Scope scope, ReadContext& context);

bool is_http_url(const std::string& url);
// 32 lower-case hexadecimal digits.
bool is_namespace_id(std::string_view text);

// A secret stands in the file itself, or in a file of its own, which must be usable now. `path`:
// the key of the former; that of the latter ends in "_file".
void check_secret(const std::string& path,
                  const std::string& inline_secret,
                  const std::string& file,
                  ReadContext& context);

}  // namespace edged::config
