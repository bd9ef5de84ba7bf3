// SPDX-License-Identifier: Apache-2.0
// The configuration file of wrangler: the three sections that edged has too, of the top level or of
// one environment, and what wrangler allows there and edged does not. Any thread.
#pragma once

#include <string>

#include "tools/edged/config.h"
#include "tools/edged/config_parse.h"
#include "tools/edged/config_reader.h"

namespace edged::config {

// wrangler.json, wrangler.jsonc and names like wrangler.staging.jsonc.
bool is_wrangler_file(const std::string& path);

struct WranglerUse {
  std::string environment;  // a member of "env"; empty: the top level
  bool dev = false;         // ids as `wrangler dev` takes them
  Scope scope = Scope::kAll;
};

// kv_namespaces, triggers.crons and queues. As in wrangler an environment does not inherit
// kv_namespaces and queues from the top level, but triggers. The other keys are noted in
// context.ignored; those that wrangler does not know either become warnings. With Scope::kCheck
// complaints about the environments that are not used come too.
void read_wrangler(const Json& document,
                   const WranglerUse& use,
                   ReadContext& context,
                   Config& config);

}  // namespace edged::config
