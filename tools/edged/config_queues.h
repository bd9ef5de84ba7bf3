// SPDX-License-Identifier: Apache-2.0
// The sections `queues`, in wrangler.jsonc's shape and with Cloudflare's ranges, and `queue_push`.
// Any thread.
#pragma once

#include "tools/edged/config.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// `tolerant`: unknown keys are only noted, as in a wrangler file.
void read_queues(const Json& queues, ReadContext& context, bool tolerant, Config& config);
// `lenient`: the section is not used by the program.
void read_queue_push(const Json& array, ReadContext& context, bool lenient, Config& config);

// What the two sections must mean together. Reads secret files.
void check_queues(const Config& config, ReadContext& context);

}  // namespace edged::config
