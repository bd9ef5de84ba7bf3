// SPDX-License-Identifier: Apache-2.0
// The upstream as the section `upstream` of the configuration describes it: shared by the worker,
// `edged doctor` and `edged init`. Pure; any thread.
#pragma once

#include <memory>

#include "tools/edged/config.h"
#include "worker/http/http_client.h"
#include "worker/upstream/attempt.h"

namespace edged {

http::HttpClientOptions upstream_client_options(const config::Config& config);

// Connects to nothing yet. `client` outlives the source.
std::unique_ptr<upstream::AttemptSource> make_upstream_source(http::HttpClient& client,
                                                              const config::Config& config);

}  // namespace edged
