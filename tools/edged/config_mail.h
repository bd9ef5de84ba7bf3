// SPDX-License-Identifier: Apache-2.0
// What the section `mail` must mean together. Reads the files that it names.
#pragma once

#include "tools/edged/config.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

void check_mail(const Config& config, ReadContext& context);

}  // namespace edged::config
