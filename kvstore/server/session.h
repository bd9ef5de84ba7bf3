// SPDX-License-Identifier: Apache-2.0
// What a connection does with the frames it has read: keeps their order, puts fragments together,
// hands requests to the dispatcher, and collects late responses, parts and pushes. No I/O:
// responses are appended to the buffer that each call is given. The connection's reactor only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "kvstore/server/dispatcher.h"
#include "kvstore/server/fragments.h"
#include "kvstore/server/gate.h"
#include "kvstore/server/key_order.h"
#include "kvstore/server/options.h"
#include "kvstore/server/pass.h"
#include "kvstore/server/watches.h"
#include "proto/wire/frame.h"

namespace edged::server {

// A response that was not ready at once, or a part of it: then `go_on` is set.
struct LateResponse {
  std::uint64_t ticket = 0;
  std::string response;
  std::function<void()> go_on;
};

class Session {
 public:
  // prepare_for() looks at this many frames.
  static constexpr std::size_t kAheadMax = 16;

  // `completion` is the connection; the references outlive the session.
  Session(Dispatcher& dispatcher,
          Pass& pass,
          const AccessContext& access,
          const Limits& limits,
          std::weak_ptr<Completion> completion);

  // The peer needs no token.
  void trust_peer() { gate_.trust(); }

  // The frame limit of the peer's hello.
  void set_body_bytes_max(std::uint32_t bytes) { body_bytes_max_ = bytes; }

  void take_frame(const wire::Frame& frame, std::string& out);
  // Frames that take_frame() is about to be given.
  void prepare_for(std::span<const wire::Frame> frames) const;
  // After the last frame of those that arrived together, before what they appended is sent.
  void end_turn() { dispatcher_.end(turn_); }
  // A frame whose body was above the limit, or that could not be understood: answers why.
  void refuse_frame(const wire::Header& header, const Status& why, std::string& out);
  void take_late(std::vector<LateResponse> late, std::string& out);
  // The response to the ticket has been given.
  void finish(std::uint64_t ticket);
  // Goes on with what waited for its turn.
  void run_waiting(std::string& out);
  // Goes on with responses in parts and with pushes, as long as `out` has room.
  void pump(std::string& out);

  // Ends watches that their peer may not have any more. True if it appended something. Called now
  // and then: a token may go while nothing happens on the connection.
  bool review(std::string& out);

  // True if the peer has shown what this node wants of it.
  bool knows_peer() { return known_ = gate_.is_known(); }

  // True if the peer showed too many wrong tokens, or sent the beginnings of too many requests that
  // were refused: no more requests are taken.
  bool refused() const { return gate_.exhausted() || lost_track_; }
  // False while too much is under way to take another request, or while the answers of what is
  // under way may fill up the room that `out_bytes` to be sent leave.
  bool may_take(std::size_t out_bytes) const;
  // Of requests, fragments and expected answers.
  std::size_t held_bytes() const;
  // True if nothing is under way but watches and unfinished fragments.
  bool idle() const { return in_flight_.empty() && waiting_.empty(); }
  // Ends watches and uploads.
  void close();

 private:
  // What a request under way takes; `answer` is what is expected at most.
  struct Load {
    std::size_t request_bytes = 0, answer_bytes = 0;
    bool makes_part = false;
    bool write = false;
    bool in_parts = false;             // its first part has been answered
    std::optional<OwnedRequest> read;  // a GET, to be judged again before each part
  };
  struct Part {
    std::uint64_t ticket = 0;
    std::function<void()> go_on;
  };
  // A request whose turn has not come.
  struct Waiting {
    OwnedRequest request;
    std::shared_ptr<operations::StagedUpload> upload;
  };

  // True if neither what came before nor who the peer is forbids to answer it from its frame.
  bool may_answer_plainly(const wire::Frame& frame);
  // Answers a frame that is no request, and drops the fragments that may follow it.
  void refuse_request(const wire::Header& header, const Status& why, std::string& out);
  // Fragments with this id are still to come although the request has its answer.
  void drop_fragments(const wire::Header& header);
  // True if the gate has answered the request.
  bool stopped_at_gate(const wire::Request& request, bool whole, std::string& out);
  void take_request(const wire::Request& request,
                    std::shared_ptr<operations::StagedUpload> upload,
                    std::string& out);
  bool must_wait(const wire::Request& request) const;
  void execute(const wire::Request& request,
               std::shared_ptr<operations::StagedUpload> upload,
               std::string& out);
  // Ends the answer in parts with a refusal if the peer may not have the rest of it any more.
  bool end_if_not_allowed(std::uint64_t ticket, std::string& out);
  void end_load(std::uint64_t ticket);
  void end_part(std::uint64_t ticket);
  bool execute_here(const wire::Request& request, const ReplyTo& to, std::string& out);
  Code cancel(const wire::Request& request, const ReplyTo& to, std::string& out);

  Dispatcher& dispatcher_;
  Pass& pass_;
  const Limits& limits_;
  const std::size_t least_out_max_;  // so much may always wait to be sent
  const std::weak_ptr<Completion> completion_;
  std::uint32_t body_bytes_max_ = wire::kBodyBytesMax;

  Gate gate_;
  KeyOrder order_;
  Fragments fragments_;
  Watches watches_;
  Dispatcher::Turn turn_;
  std::deque<Waiting> waiting_;
  std::deque<Part> parts_;                             // to go on with when there is room
  std::size_t parts_under_way_ = 0;                    // being made
  std::unordered_map<std::uint64_t, Load> in_flight_;  // by ticket
  std::size_t bytes_ = 0;                              // of in_flight_ and waiting_
  std::size_t answer_bytes_ = 0;                       // of in_flight_
  std::size_t writes_under_way_ = 0;                   // of in_flight_
  std::uint64_t fence_ = 0;  // the ticket of a request with FENCE that is under way
  std::uint64_t next_ticket_ = 1;
  bool lost_track_ = false;  // of refused fragments
  bool known_ = false;       // what knows_peer() said last
};

}  // namespace edged::server
