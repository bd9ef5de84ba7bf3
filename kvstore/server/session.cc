// SPDX-License-Identifier: Apache-2.0
// See session.h.
#include "kvstore/server/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kvstore/server/fragmented_get.h"
#include "kvstore/server/operations.h"
#include "kvstore/server/plain_reads.h"
#include "kvstore/server/routes.h"
#include "proto/wire/codec.h"

namespace edged::server {
namespace {

using wire::Opcode;

// Parts and pushes are made when less than this waits to be sent.
constexpr std::size_t kPumpBytesMax = 512 * 1024;
// Staged values may be so much ahead of the disk.
constexpr std::size_t kStagedBytesMax = 2 * 1024 * 1024;
// So many parts, of at most a frame each, may be in the making.
constexpr std::size_t kPartsUnderWay = 2;
// What a connection may hold while memory is tight.
constexpr std::size_t kTightBytes = 64 * 1024;
// So many writes of a connection may wait for the store's writer; the writes of others share a
// group with no more of them than that.
constexpr std::size_t kWritesUnderWayMax = 128;
// A connection with more than this under way is told to wait under overload.
constexpr std::size_t kFairShare = 32;

// How large the answer of a request that waits for the disk may become. Larger values come in
// parts.
std::size_t answer_bytes_max(const wire::Request& request, std::uint32_t body_bytes_max) {
  switch (request.opcode) {
    case Opcode::kGet:
    case Opcode::kGetAndTouch:
      return std::min<std::size_t>(kWholeValueBytesMax, body_bytes_max);
    case Opcode::kMultiGet:
    case Opcode::kList:
      return body_bytes_max;
    case Opcode::kMultiPut:
    case Opcode::kMultiDelete:
    case Opcode::kBatch:
      return request.value.size();  // the answer repeats the keys
    default:
      return 0;
  }
}

}  // namespace

Session::Session(Dispatcher& dispatcher,
                 Pass& pass,
                 const AccessContext& access,
                 const Limits& limits,
                 std::weak_ptr<Completion> completion)
    : dispatcher_(dispatcher),
      pass_(pass),
      limits_(limits),
      least_out_max_(std::min({limits.stranger_out_bytes_max, kTightBytes, limits.out_bytes_max})),
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

bool Session::may_take(std::size_t out_bytes) const {
  // Every request under way has bytes, so there is none: most often, and asked for each request.
  if (bytes_ + answer_bytes_ == 0 && fragments_.empty() && out_bytes < least_out_max_) return true;
  const bool tight = dispatcher_.memory().tight();
  const std::size_t out_max = !known_ ? limits_.stranger_out_bytes_max
                              : tight ? kTightBytes
                                      : limits_.out_bytes_max;
  const std::size_t in_max = tight ? kTightBytes : limits_.in_flight_bytes_max;
  return out_bytes + answer_bytes_ < out_max && bytes_ < in_max &&
         in_flight_.size() + waiting_.size() < limits_.requests_in_flight_max &&
         fragments_.pending_bytes() < (tight ? kTightBytes : kStagedBytesMax);
}

std::size_t Session::held_bytes() const {
  return bytes_ + answer_bytes_ + fragments_.memory_bytes() + fragments_.pending_bytes();
}

void Session::refuse_frame(const wire::Header& header, const Status& why, std::string& out) {
  if (fragments_.drops(header.id, header.flags)) {
    return;
  }
  refuse_request(header, why, out);
}

void Session::refuse_request(const wire::Header& header, const Status& why, std::string& out) {
  drop_fragments(header);
  wire::Request request;
  request.opcode = static_cast<Opcode>(header.opcode);
  request.flags = header.flags;
  request.id = header.id;
  append_failure(reply_to(request, body_bytes_max_), why, out);
}

void Session::drop_fragments(const wire::Header& header) {
  if ((header.flags & wire::kFlagMore) != 0) {
    lost_track_ = !fragments_.refuse(header.id) || lost_track_;
  } else {
    fragments_.cancel(header.id);
  }
}

bool Session::may_answer_plainly(const wire::Frame& frame) {
  return is_plain_get(frame) && fence_ == 0 && waiting_.empty() &&
         !order_.is_written(frame.header.ns, frame.key()) && !fragments_.expects(frame.header.id) &&
         gate_.may_get(frame.header.ns, frame.key());
}

void Session::prepare_for(std::span<const wire::Frame> frames) const {
  std::array<storage::KeyName, kAheadMax> keys;
  std::size_t count = 0;
  for (const wire::Frame& frame : frames.first(std::min(kAheadMax, frames.size()))) {
    if (frame.header.key_bytes != 0) keys[count++] = {frame.header.ns, frame.key()};
  }
  dispatcher_.store().prefetch({keys.data(), count});
}

void Session::take_frame(const wire::Frame& frame, std::string& out) {
  if (may_answer_plainly(frame) &&
      dispatcher_.answer_plain_get(frame, body_bytes_max_, turn_, out)) {
    return;
  }
  if (fragments_.drops(frame.header.id, frame.header.flags)) {
    return;
  }
  Result<wire::Request> request = wire::decode_request(frame);
  if (!request) {
    refuse_request(frame.header, request.error(), out);
    return;
  }
  if (request->key.size() > wire::kKeyBytesMax) {
    refuse_request(frame.header,
                   Status(Code::kInvalidArgument, "could not use key: it is above 512 bytes"),
                   out);
    return;
  }
  const bool fragment = fragments_.concerns(*request);
  // Only the first fragment says what is wanted; the whole is judged again with its items.
  const bool continues = fragment && fragments_.has_begun(request->id);
  if (continues) {
    const Status allowed = gate_.authorize(fragments_.head(request->id), false);
    if (!allowed.ok()) {  // the token of the first fragment is gone
      refuse_request(frame.header, allowed, out);
      return;
    }
  }
  if (!continues && stopped_at_gate(*request, !fragment, out)) {
    drop_fragments(frame.header);
    return;
  }
  if (!fragment) {
    take_request(*request, nullptr, out);
    return;
  }
  Result<std::unique_ptr<Fragments::Whole>> whole = fragments_.take(*request);
  if (!whole) {
    refuse_request(frame.header, whole.error(), out);
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
                           std::shared_ptr<operations::StagedUpload> upload,
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
  const bool too_many = writes_under_way_ >= kWritesUnderWayMax && is_write(request.opcode);
  return fence_ != 0 || fences || too_many || order_.conflicts(request);
}

void Session::execute(const wire::Request& request,
                      std::shared_ptr<operations::StagedUpload> upload,
                      std::string& out) {
  const ReplyTo to = reply_to(request, body_bytes_max_);
  if (execute_here(request, to, out)) {
    return;
  }
  if (in_flight_.size() >= kFairShare && dispatcher_.overloaded()) {
    dispatcher_.refuse_busy(
        request,
        to,
        "the node is overloaded, and this connection has more than its share under way",
        out);
    return;
  }
  Load load;
  load.request_bytes = wire::kHeaderBytes + request.key.size() + request.value.size();
  load.answer_bytes = answer_bytes_max(request, body_bytes_max_);
  load.write = is_write(request.opcode);
  if (request.opcode == Opcode::kGet || request.opcode == Opcode::kGetAndTouch) {
    load.read.emplace(request);
  }
  // Who holds little may go on: that is everybody's due.
  if (dispatcher_.memory().used_up() &&
      held_bytes() + load.request_bytes + load.answer_bytes > MemoryShare::kFreeBytes) {
    dispatcher_.refuse_busy(
        request, to, "the memory limit of all connections together is reached", out);
    return;
  }
  const std::size_t request_bytes = load.request_bytes, answer_bytes = load.answer_bytes;
  const std::uint64_t ticket = next_ticket_++;
  const bool staged = upload != nullptr;
  if (staged) {
    dispatcher_.commit_upload(std::move(upload), request, to, completion_.lock(), ticket);
  } else if (dispatcher_.dispatch(request, to, completion_.lock(), ticket, pass_, out)) {
    return;
  }
  if ((request.flags & wire::kFlagFence) != 0) {
    fence_ = ticket;
  }
  order_.begin(ticket, request, staged);
  writes_under_way_ += load.write ? 1 : 0;
  in_flight_.emplace(ticket, std::move(load));
  bytes_ += request_bytes;
  answer_bytes_ += answer_bytes;
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
    end_part(one.ticket);
    if (end_if_not_allowed(one.ticket, out)) {
      continue;
    }
    out.append(one.response);
    if (one.go_on) {
      in_flight_.at(one.ticket).in_parts = true;
      parts_.push_back(Part{one.ticket, std::move(one.go_on)});
      continue;
    }
    finish(one.ticket);
  }
  run_waiting(out);
}

void Session::finish(std::uint64_t ticket) {
  order_.end(ticket);
  fence_ = fence_ == ticket ? 0 : fence_;
  end_load(ticket);
}

bool Session::end_if_not_allowed(std::uint64_t ticket, std::string& out) {
  const auto found = in_flight_.find(ticket);
  if (found == in_flight_.end() || !found->second.in_parts) {
    return false;
  }
  const wire::Request request = found->second.read->request();
  const Status allowed = gate_.authorize(request);
  if (allowed.ok()) {
    return false;
  }
  append_failure(reply_to(request, body_bytes_max_), allowed, out);
  finish(ticket);
  return true;
}

void Session::end_part(std::uint64_t ticket) {
  if (parts_under_way_ == 0) return;
  const auto found = in_flight_.find(ticket);
  if (found != in_flight_.end() && std::exchange(found->second.makes_part, false)) {
    --parts_under_way_;
  }
}

void Session::end_load(std::uint64_t ticket) {
  const auto found = in_flight_.find(ticket);
  if (found == in_flight_.end()) return;
  bytes_ -= found->second.request_bytes;
  answer_bytes_ -= found->second.answer_bytes;
  writes_under_way_ -= found->second.write ? 1 : 0;
  in_flight_.erase(found);
}

void Session::run_waiting(std::string& out) {
  while (!waiting_.empty() && out.size() + answer_bytes_ < limits_.out_bytes_max) {
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
  while (parts_under_way_ < kPartsUnderWay && !parts_.empty() && out.size() < kPumpBytesMax) {
    const Part part = std::move(parts_.front());
    parts_.pop_front();
    if (end_if_not_allowed(part.ticket, out)) {
      continue;
    }
    in_flight_.at(part.ticket).makes_part = true;
    ++parts_under_way_;
    part.go_on();
  }
  run_waiting(out);
  review(out);
  watches_.pump(kPumpBytesMax, out);
}

}  // namespace edged::server
