// SPDX-License-Identifier: Apache-2.0
// How a response is addressed and how big it may be, and the two shapes most responses have. A
// value that does not fit the peer's frame limit becomes a too_large response. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/status.h"
#include "proto/wire/message.h"

namespace edged::server {

struct ReplyTo {
  wire::Opcode opcode = wire::Opcode::kPing;
  std::uint16_t flags = 0;  // kFlagCrc or 0
  std::uint32_t id = 0;
  std::uint32_t body_bytes_max = wire::kBodyBytesMax;
  bool quiet = false;
};

ReplyTo reply_to(const wire::Request& request, std::uint32_t body_bytes_max);

// Each appends exactly one response frame to `out` and returns its status.
Code append_reply(const ReplyTo& to,
                  const wire::Fields& fields,
                  std::string_view value,
                  std::string& out);
// `fields` may carry what belongs to the failure, as the version that was found.
Code append_failure(const ReplyTo& to,
                    const Status& status,
                    std::string& out,
                    wire::Fields fields = {});

// At most kMessageBytesMax bytes of it.
std::string_view cut_message(std::string_view message);

// A request that outlives the frame it came in: for queues and other threads.
class OwnedRequest {
 public:
  explicit OwnedRequest(const wire::Request& request);
  // Views into this object.
  wire::Request request() const;
  std::size_t bytes() const { return frame_.size(); }

 private:
  std::string frame_;
};

}  // namespace edged::server
