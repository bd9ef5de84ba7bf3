// SPDX-License-Identifier: Apache-2.0
// See reply.h.
#include "kvstore/server/reply.h"

#include "proto/base/check.h"

namespace edged::server {
namespace {

// What a client waits before it tries a busy node again.
constexpr std::uint32_t kRetryAfterMs = 20;

}  // namespace

ReplyTo reply_to(const wire::Request& request, std::uint32_t body_bytes_max) {
  return ReplyTo{request.opcode,
                 static_cast<std::uint16_t>(request.flags & wire::kFlagCrc),
                 request.id,
                 body_bytes_max,
                 (request.flags & wire::kFlagQuiet) != 0};
}

std::string_view cut_message(std::string_view message) {
  return message.substr(0, wire::kMessageBytesMax);
}

Code append_reply(const ReplyTo& to,
                  const wire::Fields& fields,
                  std::string_view value,
                  std::string& out) {
  if (value.size() + wire::kExtBytesMax > to.body_bytes_max) {
    // Near the limit the exact size decides.
    const std::size_t fields_bytes =
        wire::item_bytes(wire::Item{
            .opcode = to.opcode, .status = Code::kOk, .fields = fields, .key = {}, .value = {}}) -
        wire::kItemHeaderBytes;
    if (value.size() + fields_bytes > to.body_bytes_max) {
      wire::Fields failure;
      failure.value_bytes = value.size();
      return append_failure(to,
                            Status(Code::kTooLarge,
                                   "could not send value of " + std::to_string(value.size()) +
                                       " bytes: it does not fit a frame"),
                            out,
                            failure);
    }
  }
  wire::append_response({to.opcode, to.flags, to.id, Code::kOk, fields, value}, out);
  return Code::kOk;
}

Code append_failure(const ReplyTo& to,
                    const Status& status,
                    std::string& out,
                    wire::Fields fields) {
  if (!status.message().empty()) {
    fields.message = cut_message(status.message());
  }
  if (status.code() == Code::kBusy) {
    fields.retry_after_ms = kRetryAfterMs;
  }
  wire::append_response({to.opcode, to.flags, to.id, status.code(), fields, {}}, out);
  return status.code();
}

OwnedRequest::OwnedRequest(const wire::Request& request) {
  frame_.reserve(wire::kHeaderBytes + wire::kExtBytesMax / 16 + request.key.size() +
                 request.value.size());
  wire::Request unchecked = request;
  unchecked.flags = static_cast<std::uint16_t>(request.flags & ~wire::kFlagCrc);
  wire::append_request(unchecked, frame_);
  // The flag goes back in, so that the response is checked as the request was.
  frame_[2] = static_cast<char>(frame_[2] | (request.flags & wire::kFlagCrc));
}

wire::Request OwnedRequest::request() const {
  const std::string_view bytes = frame_;
  Result<wire::Header> header = wire::decode_header(bytes.substr(0, wire::kHeaderBytes));
  KV_CHECK(header.has_value());
  Result<wire::Request> request =
      wire::decode_request(wire::Frame{*header, bytes.substr(wire::kHeaderBytes)});
  KV_CHECK(request.has_value());
  return *request;
}

}  // namespace edged::server
