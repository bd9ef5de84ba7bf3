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
Status check_batch(const std::vector<BatchItem>& items, std::size_t items_max);
Status check_bounds(const ReadBounds& bounds);
Status check_mark(const MirrorMark& mark);

// What a request says of mirrors. Views into the argument.
wire::Fields bounds_fields(const ReadBounds& bounds);
wire::Fields mark_fields(const MirrorMark& mark);

// Require what the checks accept. `fields`: bounds_fields or mark_fields.
RequestFrames get_frames(std::string_view key, const wire::Fields& fields = {});
RequestFrames lease_frames(std::string_view key, std::chrono::milliseconds duration);
RequestFrames put_frames(const PutItem& item);
RequestFrames remove_frames(std::string_view key, std::optional<std::uint64_t> if_version);
RequestFrames touch_frames(const TouchItem& item, bool want_entry);
RequestFrames add_frames(const AddItem& item);
RequestFrames batch_frames(const std::vector<BatchItem>& items, const wire::Fields& fields = {});
Result<RequestFrames> list_frames(const KvListRequest& list, const wire::Fields& fields = {});
RequestFrames simple_frames(wire::Opcode opcode,
                            const wire::Fields& fields = {},
                            std::string_view key = {},
                            std::string_view value = {});

// Multi requests hold as many items from `first` on as one frame to any server takes, at least one;
// `next` is the first that did not fit.
RequestFrames multi_get_frames(const std::vector<std::string>& keys,
                               std::size_t first,
                               std::size_t& next,
                               const wire::Fields& fields = {});
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
