// SPDX-License-Identifier: Apache-2.0
// See session.h.
#include "kvstore/server/session.h"

#include <utility>

#include "kvstore/server/routes.h"
#include "proto/wire/codec.h"

namespace edged::server {
namespace {

using wire::Opcode;

// Parts and pushes are made when less than this waits to be sent.
constexpr std::size_t kPumpBytesMax = 512 * 1024;
// Staged values may be so much ahead of the disk.
constexpr std::size_t kStagedBytesMax = 2 * 1024 * 1024;
// Under overload a connection with more than this under way is the one that is told to wait.
constexpr std::size_t kFairShare = 32;

}  // namespace

Session::Session(Dispatcher& dispatcher,
                 const AccessContext& access,
                 const Limits& limits,
                 std::weak_ptr<Completion> completion)
    : dispatcher_(dispatcher),
      limits_(limits),
      completion_(completion),
      gate_(access),
      fragments_(dispatcher.store(), dispatcher.pool(), completion),
      watches_(dispatcher.store(), completion) {}

void Session::close() {
  fragments_.clear();
  watches_.clear();
  parts_.clear();
  waiting_.clear();
}

bool Session::may_take() const {
  return in_flight_.size() + waiting_.size() < limits_.requests_in_flight_max &&
         bytes_ < limits_.in_flight_bytes_max && fragments_.pending_bytes() < kStagedBytesMax;
}

void Session::refuse_frame(const wire::Header& header, const Status& why, std::string& out) {
  wire::Request request;
  request.opcode = static_cast<Opcode>(header.opcode);
  request.flags = header.flags;
  request.id = header.id;
  append_failure(reply_to(request, body_bytes_max_), why, out);
}

bool Session::may_answer_plainly(const wire::Frame& frame) {
  return is_plain_get(frame) && fence_ == 0 && waiting_.empty() &&
         !order_.is_written(frame.header.ns, frame.key()) &&
         !fragments_.has_begun(frame.header.id) && gate_.may_get(frame.header.ns, frame.key());
}

void Session::take_frame(const wire::Frame& frame, std::string& out) {
  if (may_answer_plainly(frame) &&
      dispatcher_.answer_plain_get(frame, body_bytes_max_, turn_, out)) {
    return;
  }
  Result<wire::Request> request = wire::decode_request(frame);
  if (!request) {
    refuse_frame(frame.header, request.error(), out);
    return;
  }
  if (request->key.size() > wire::kKeyBytesMax) {
    refuse_frame(frame.header,
                 Status(Code::kInvalidArgument, "could not use key: it is above 512 bytes"),
                 out);
    return;
  }
  const bool fragment = fragments_.concerns(*request);
  // Only the first fragment says what is wanted; the whole is judged again with its items.
  const bool continues = fragment && fragments_.has_begun(request->id);
  if (!continues && stopped_at_gate(*request, !fragment, out)) {
    return;
  }
  if (!fragment) {
    take_request(*request, nullptr, out);
    return;
  }
  Result<std::unique_ptr<Fragments::Whole>> whole = fragments_.take(*request);
  if (!whole) {
    refuse_frame(frame.header, whole.error(), out);
  } else if (*whole) {
    const wire::Request complete = (*whole)->request.request();
    if (!stopped_at_gate(complete, true, out)) {
      take_request(complete, std::move((*whole)->upload), out);
    }
  }
}

bool Session::stopped_at_gate(const wire::Request& request, bool whole, std::string& out) {
  const std::optional<Code> status =
      gate_.answer(request, whole, reply_to(request, body_bytes_max_), out);
  if (status) {
    dispatcher_.count(request.opcode, *status, std::chrono::steady_clock::now());
  }
  return status.has_value();
}

bool Session::review(std::string& out) {
  const std::size_t before = out.size();
  if (gate_.moved()) {
    watches_.judge([this](const wire::Request& watch) { return gate_.authorize(watch); }, out);
  }
  return out.size() != before;
}

// Behind a request that waits for its turn all later ones wait: order is simpler than speed here.
void Session::take_request(const wire::Request& request,
                           std::shared_ptr<StagedUpload> upload,
                           std::string& out) {
  if (!waiting_.empty() || must_wait(request)) {
    waiting_.push_back(Waiting{OwnedRequest(request), std::move(upload)});
    bytes_ += waiting_.back().request.bytes();
    return;
  }
  execute(request, std::move(upload), out);
}

bool Session::must_wait(const wire::Request& request) const {
  const bool fences = (request.flags & wire::kFlagFence) != 0 && !in_flight_.empty();
  return fence_ != 0 || fences || order_.conflicts(request);
}

void Session::execute(const wire::Request& request,
                      std::shared_ptr<StagedUpload> upload,
                      std::string& out) {
  const ReplyTo to = reply_to(request, body_bytes_max_);
  if (execute_here(request, to, out)) {
    return;
  }
  if (in_flight_.size() >= kFairShare && dispatcher_.overloaded()) {
    dispatcher_.refuse_busy(request, to, out);
    return;
  }
  const std::uint64_t ticket = next_ticket_++;
  const bool staged = upload != nullptr;
  if (staged) {
    dispatcher_.commit_upload(std::move(upload), request, to, completion_.lock(), ticket);
  } else if (dispatcher_.dispatch(request, to, completion_.lock(), ticket, out)) {
    return;
  }
  if ((request.flags & wire::kFlagFence) != 0) {
    fence_ = ticket;
  }
  order_.begin(ticket, request, staged);
  const std::size_t bytes = wire::kHeaderBytes + request.key.size() + request.value.size();
  in_flight_.emplace(ticket, bytes);
  bytes_ += bytes;
}

// Operations about the connection itself.
bool Session::execute_here(const wire::Request& request, const ReplyTo& to, std::string& out) {
  if (request.opcode != Opcode::kWatch && request.opcode != Opcode::kCancel) {
    return false;
  }
  const auto start = std::chrono::steady_clock::now();
  const Status known = check_request(request);
  const Code status = !known.ok()                        ? append_failure(to, known, out)
                      : request.opcode == Opcode::kWatch ? watches_.start(request, to, out)
                                                         : cancel(request, to, out);
  dispatcher_.count(request.opcode, status, start);
  return true;
}

Code Session::cancel(const wire::Request& request, const ReplyTo& to, std::string& out) {
  wire::ByteReader reader(request.value);
  const std::uint32_t id = reader.u32();
  if (reader.failed() || reader.remaining() != 0) {
    return append_failure(
        to,
        Status(Code::kInvalidArgument, "could not cancel: the value is not an id of 4 bytes"),
        out);
  }
  if (!watches_.cancel(id) && !fragments_.cancel(id)) {
    return append_failure(to, Status(Code::kNotFound, ""), out);
  }
  return append_reply(to, {}, {}, out);
}

void Session::take_late(std::vector<LateResponse> late, std::string& out) {
  for (LateResponse& one : late) {
    out.append(one.response);
    if (one.go_on) {
      parts_.push_back(std::move(one.go_on));
      continue;
    }
    order_.end(one.ticket);
    fence_ = fence_ == one.ticket ? 0 : fence_;
    const auto found = in_flight_.find(one.ticket);
    if (found != in_flight_.end()) {
      bytes_ -= found->second;
      in_flight_.erase(found);
    }
  }
  run_waiting(out);
}

void Session::run_waiting(std::string& out) {
  while (!waiting_.empty()) {
    const wire::Request request = waiting_.front().request.request();
    if (must_wait(request)) {
      return;
    }
    bytes_ -= waiting_.front().request.bytes();
    execute(request, std::move(waiting_.front().upload), out);
    waiting_.pop_front();
  }
}

void Session::pump(std::string& out) {
  // Each makes about a fragment, so that the buffer may exceed its bound by as many as go on here.
  for (std::size_t room = 2; room > 0 && !parts_.empty() && out.size() < kPumpBytesMax; --room) {
    parts_.front()();
    parts_.pop_front();
  }
  review(out);
  watches_.pump(kPumpBytesMax, out);
}

}  // namespace edged::server
