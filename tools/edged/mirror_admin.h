// SPDX-License-Identifier: Apache-2.0
// edged mirror status, edged mirror drop. Each returns an exit code.
#pragma once

#include "tools/edged/config.h"

namespace edged {

int show_mirror_status(const config::Config& config, bool json);
int drop_mirror(const config::Config& config);

}  // namespace edged
