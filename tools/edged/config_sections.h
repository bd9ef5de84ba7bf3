// SPDX-License-Identifier: Apache-2.0
// Reads each section of the configuration's tree into its plain struct. Any thread.
#pragma once

#include "tools/edged/config.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// Everything but the key "wrangler", whose value is handed back.
std::string read_document(const Json& document, Scope scope, ReadContext& context, Config& config);

// The three keys that wrangler.jsonc shares with us. `tolerant`, as in a wrangler file: other keys
// beside the known ones are only noted, and a namespace may have no id.
void read_shared_keys(ObjectReader& top, ReadContext& context, bool tolerant, Config& config);

}  // namespace edged::config
