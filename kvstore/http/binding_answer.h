// SPDX-License-Identifier: Apache-2.0
// The answers of the binding face. A Worker sees the reason phrase of an error and nothing else, so
// the text stands there; the body repeats it. Pure functions; any thread. Source:
// docs/workers-binding.md.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kvstore/http/kv_rules.h"
#include "kvstore/storage/store.h"
#include "proto/base/status.h"
#include "proto/http/message.h"

namespace edged::kv_http {

http::Response binding_refusal(const Refusal& refusal);
// Never 404: see binding_missing().
http::Response binding_failure(const Status& error);
// 404: no such key.
http::Response binding_missing();

// CF-KV-Metadata and CF-Expiration, each if there is something to say.
std::vector<std::pair<std::string, std::string>> binding_headers(const storage::Entry& entry);

// {"keys":[{"name":…,"expiration":…,"metadata":"…"}],"list_complete":…,"cursor":"…"}. Absent things
// are left out, and metadata is JSON text in a string. `more`: keys follow the last item.
http::Response binding_list(const std::vector<storage::ListItem>& items, bool more);

}  // namespace edged::kv_http
