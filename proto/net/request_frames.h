// SPDX-License-Identifier: Apache-2.0
// A request as it is sent: one frame, or the fragments of one too large for a frame. Built with id
// and namespace 0, which are set when the connection is known. Value type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/wire/message.h"

namespace edged::net {

class RequestFrames {
 public:
  RequestFrames() = default;
  // Splits a value above wire::kFrameValueBytesMax. Requires an operation that comes in fragments
  // if it does, and otherwise what wire::append_request requires.
  explicit RequestFrames(const wire::Request& request);

  void set_id(std::uint32_t id);
  // The handle of the request's namespace.
  void set_namespace(std::uint32_t handle);
  const std::string& bytes() const { return bytes_; }

 private:
  void append(const wire::Request& request);

  std::string bytes_;
  std::vector<std::size_t> starts_;
};

}  // namespace edged::net
