// SPDX-License-Identifier: Apache-2.0
// GETs that go to the disk. A value that fits a frame is answered with one; a larger one in
// fragments (docs/protocol.md, "Fragments"), each read when the peer has taken what was sent.
// Storage pool only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kvstore/operations/storage_pool.h"
#include "kvstore/server/completion.h"
#include "kvstore/server/reads.h"

namespace edged::server {

// A larger value is read when there is room for it, not when it is asked for.
inline constexpr std::size_t kWholeValueBytesMax = 64 * 1024;

// How a response that is sent in parts goes on.
struct Delivery {
  std::shared_ptr<Completion> completion;
  std::uint64_t ticket = 0;
  operations::StoragePool& pool;  // outlives the completion's use of it
};

// Appends the response; or nothing, and sets `go_on`, which makes it, or its first fragment.
Code answer_get_from_disk(storage::Store& store,
                          const wire::Request& request,
                          const ReplyTo& to,
                          const Delivery& delivery,
                          KeyCounts& counts,
                          std::string& out,
                          std::function<void()>& go_on);

}  // namespace edged::server
