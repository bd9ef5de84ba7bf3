// SPDX-License-Identifier: Apache-2.0
// The short way of reads that need nothing but memory and keys, which is most of them. They give
// the bytes that reads.h would give, or nothing: then reads.h is to be asked. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvstore/operations/request_metrics.h"
#include "kvstore/server/reply.h"
#include "kvstore/storage/store.h"

namespace edged::server {

// A GET with neither LEASE nor QUIET, no fields, and at most kKeyBytesMax bytes of key.
bool is_plain_get(const wire::Frame& frame);

// Of such a GET: appends the response and returns its status, kOk or kNotFound, without allocating.
// `scratch` is memory to be used again.
std::optional<Code> answer_plain_get(const storage::Store& store,
                                     const wire::Frame& frame,
                                     std::uint32_t body_bytes_max,
                                     storage::Entry& scratch,
                                     std::string& out);

// An MGET of at most about 250 keys, which asks for nothing but values and names neither freshness
// nor a namespace for a key: appends the response if memory knows all that it asks for.
std::optional<Code> answer_plain_multi_get(const storage::Store& store,
                                           const wire::Request& request,
                                           const ReplyTo& to,
                                           operations::KeyCounts& counts,
                                           std::string& out);

}  // namespace edged::server
