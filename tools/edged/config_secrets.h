// SPDX-License-Identifier: Apache-2.0
// Finds secrets that stand in a configuration file itself, rather than in the environment variables
// that it names. One thread.
#pragma once

#include "tools/edged/config_reader.h"
#include "tools/edged/json_document.h"

namespace edged::config {

// For a file that everybody can read: a warning that names the keys, if there are any. A running
// deployment is not refused for it; token files and TLS keys, which hold nothing else, are.
void warn_of_secrets(const Json& document, ReadContext& context);

}  // namespace edged::config
