// SPDX-License-Identifier: Apache-2.0
// From the client's structs to request frames and back, with every bound checked before a byte is
// sent. Frames are built with id and namespace 0; the client patches them. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "proto/base/status.h"
#include "proto/net/client.h"
#include "proto/wire/message.h"

namespace edged::net {

// The namespace's handle goes here in a frame.
inline constexpr std::size_t kNamespaceAt = 12;

Status check_name(std::string_view what, std::string_view name);
Status check_put(const PutItem& item);

// Require what check_put and check_name accept.
std::string get_frame(std::string_view key);
std::string put_frame(const PutItem& item);
std::string remove_frame(std::string_view key, std::optional<std::uint64_t> if_version);
Result<std::string> list_frame(const KvListRequest& list);
std::string simple_frame(wire::Opcode opcode,
                         const wire::Fields& fields = {},
                         std::string_view key = {});

// Multi requests hold as many items from `first` on as one frame to any server takes, at least one;
// `next` is the first that did not fit.
std::string multi_get_frame(const std::vector<std::string>& keys,
                            std::size_t first,
                            std::size_t& next);
// `refused[i]` leaves put i out.
std::string multi_put_frame(const std::vector<PutItem>& puts,
                            const std::vector<bool>& refused,
                            std::size_t first,
                            std::size_t& next,
                            std::vector<std::size_t>& places);

// The status of a response or item, with the server's message.
Status to_status(Code code, const wire::Fields& fields);
KvEntry to_entry(const wire::Fields& fields, std::string_view value);
Result<KvListPage> to_page(const wire::Response& response);
KvNamespace to_namespace(const wire::Fields& fields);

}  // namespace edged::net
