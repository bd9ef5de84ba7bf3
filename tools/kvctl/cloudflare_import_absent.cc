// SPDX-License-Identifier: Apache-2.0
// In the place of cloudflare_import.cc where EDGED_BUILD_WORKER is off, and with it libcurl.
#include "tools/kvctl/import_command.h"

namespace edged::kvctl {

int import_from_cloudflare(Context&, const ImportArguments&) {
  return fail({Code::kUnsupported,
               "this kvctl was built without libcurl (EDGED_BUILD_WORKER=OFF): --from needs it. "
               "Import a FILE, as \"wrangler kv bulk get\" writes it"});
}

}  // namespace edged::kvctl
