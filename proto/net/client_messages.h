// SPDX-License-Identifier: Apache-2.0
// From the client's structs to requests as they are sent and back, with every bound checked before
// a byte is sent. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "proto/base/status.h"
#include "proto/net/client.h"
#include "proto/net/request_frames.h"
#include "proto/wire/message.h"

namespace edged::net {

Status check_name(std::string_view what, std::string_view name);
Status check_put(const PutItem& item);
Status check_touch(const TouchItem& item);
Status check_add(const AddItem& item);
Status check_batch(const std::vector<BatchItem>& items);

// Require what the checks accept.
RequestFrames get_frames(std::string_view key);
RequestFrames lease_frames(std::string_view key, std::chrono::milliseconds duration);
RequestFrames put_frames(const PutItem& item);
RequestFrames remove_frames(std::string_view key, std::optional<std::uint64_t> if_version);
RequestFrames touch_frames(const TouchItem& item, bool want_entry);
RequestFrames add_frames(const AddItem& item);
RequestFrames batch_frames(const std::vector<BatchItem>& items);
Result<RequestFrames> list_frames(const KvListRequest& list);
RequestFrames simple_frames(wire::Opcode opcode,
                            const wire::Fields& fields = {},
                            std::string_view key = {},
                            std::string_view value = {});

// Multi requests hold as many items from `first` on as one frame to any server takes, at least one;
// `next` is the first that did not fit.
RequestFrames multi_get_frames(const std::vector<std::string>& keys,
                               std::size_t first,
                               std::size_t& next);
// `refused[i]` leaves put i out.
RequestFrames multi_put_frames(const std::vector<PutItem>& puts,
                               const std::vector<bool>& refused,
                               std::size_t first,
                               std::size_t& next,
                               std::vector<std::size_t>& places);

// The status of a response or item, with the server's message.
Status to_status(Code code, const wire::Fields& fields);
KvEntry to_entry(const wire::Fields& fields, std::string_view value);
Result<KvListPage> to_page(const wire::Response& response);
KvNamespace to_namespace(const wire::Fields& fields);
// The sum that ADD answers.
Result<std::int64_t> to_number(const wire::Response& response);
Result<BatchResult> to_batch_result(const wire::Response& response);
Result<std::vector<KvChange>> to_changes(const wire::Response& push);

}  // namespace edged::net
