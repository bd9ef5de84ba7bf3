// SPDX-License-Identifier: Apache-2.0
// What the two ways of kvctl import share: the arguments, and how the end is told.
#pragma once

#include <cstdint>
#include <string>

#include "tools/kvctl/bulk_store.h"
#include "tools/kvctl/context.h"

namespace edged::kvctl {

struct ImportArguments {
  std::string ns;
  std::string file;  // a path, or "-"
  std::string from;  // "cloudflare:ACCOUNT/NAMESPACE"
  std::uint64_t skip = 0;
  BulkStoreOptions store;
  std::string api, api_token_file, state, prefix;  // with `from`
  std::uint64_t parallel = 4;                      // requests at a time
};

// Prints the counts: one line, or with --json one object.
void print_counts(const Context& context, const BulkCounts& counts);

// Imports from Cloudflare's REST API, or from a server that speaks it. The exit code.
int import_from_cloudflare(Context& context, const ImportArguments& arguments);

}  // namespace edged::kvctl
