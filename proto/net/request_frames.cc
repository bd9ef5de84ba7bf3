// SPDX-License-Identifier: Apache-2.0
// See request_frames.h.
#include "proto/net/request_frames.h"

#include <string_view>

#include "proto/wire/codec.h"
#include "proto/wire/limits.h"

namespace edged::net {
namespace {

// Of the header, where docs/protocol.md puts them.
constexpr std::size_t kIdAt = 4, kNamespaceAt = 12;

}  // namespace

RequestFrames::RequestFrames(const wire::Request& request) {
  if (request.value.size() <= wire::kFrameValueBytesMax) {
    append(request);
    return;
  }
  bytes_.reserve(request.value.size() + request.value.size() / 1024);
  wire::Request fragment = request;
  fragment.fields.value_bytes = request.value.size();
  for (std::string_view rest = request.value; !rest.empty();) {
    fragment.value = rest.substr(0, wire::kFragmentBytes);
    rest.remove_prefix(fragment.value.size());
    fragment.flags =
        static_cast<std::uint16_t>(rest.empty() ? request.flags : request.flags | wire::kFlagMore);
    append(fragment);
    fragment.key = {};
    fragment.fields = {};
  }
}

void RequestFrames::append(const wire::Request& request) {
  starts_.push_back(bytes_.size());
  wire::append_request(request, bytes_);
}

void RequestFrames::set_id(std::uint32_t id) {
  for (const std::size_t start : starts_) {
    wire::patch_u32(bytes_, start + kIdAt, id);
  }
}

void RequestFrames::set_namespace(std::uint32_t handle) {
  for (const std::size_t start : starts_) {
    wire::patch_u32(bytes_, start + kNamespaceAt, handle);
  }
}

}  // namespace edged::net
