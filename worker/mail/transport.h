// SPDX-License-Identifier: Apache-2.0
// How mails leave: a maildir, an SMTP server or an HTTP provider behind one interface. A transport
// takes parcels of up to batch_max mails, several at once; deliver() may be repeated with the same
// parcel after a failure or an unknown outcome. One thread, unless a transport says more.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/status.h"
#include "worker/mail/message.h"

namespace edged::mail {

// kRepeated: an earlier delivery of this parcel may have been under way, and may have succeeded.
enum class Attempt { kFirst, kRepeated };

struct Parcel {
  std::string key;                // the same for each attempt; no other parcel has it
  std::vector<Message> messages;  // 1 to batch_max; empty if only `frozen` is left of them
  std::string frozen;             // of an idempotent transport: what freeze() gave for them
  std::size_t frozen_mails = 0;   // how many it holds, if `messages` is empty
  bool wants_conversation = false;

  std::size_t mails() const { return messages.empty() ? frozen_mails : messages.size(); }
};

// What became of a parcel. All of its mails share one outcome.
struct Delivery {
  enum class Outcome {
    kAccepted,       // for good
    kTemporary,      // not accepted; try again later
    kAddressBad,     // never to this address
    kMessageBad,     // this message never
    kUnknown,        // it may have been accepted
    kMisconfigured,  // not accepted, and no mail will be until an operator has acted
  };
  Outcome outcome = Outcome::kTemporary;
  std::string detail;                                      // "550 5.1.1 No such user"
  std::vector<std::string> provider_ids;                   // in the order of the messages, or empty
  std::optional<std::chrono::milliseconds> retry_after{};  // the other side asked for it
  std::string conversation{};                              // if wanted; holds no secrets
};

// "accepted", "temporary", "address", "message", "unknown", "misconfigured".
std::string_view to_string(Delivery::Outcome outcome);

// kOk: kAccepted; kInvalidArgument: kMessageBad; kUnknownOutcome: kUnknown; others: kTemporary.
Delivery delivery_of(const Status& status);

class Transport {
 public:
  struct Limits {
    std::size_t batch_max = 1;  // mails in a parcel
    int parallel_max = 4;       // deliveries that do good at once; more wait for their turn
  };

  virtual ~Transport() = default;

  // "smtp", "resend", "maildir".
  virtual std::string_view name() const = 0;
  virtual Limits limits() const = 0;
  // Makes ready what is needed on this machine. Once, at start-up. Blocks.
  virtual Status start() { return {}; }

  // Whether a parcel that is delivered again under its key, with the same bytes, arrives once.
  virtual bool is_idempotent() const { return false; }
  // The request body for these mails, to be kept and delivered again as it is. Pure.
  virtual std::string freeze(const std::vector<Message>& messages) const;

  virtual boost::asio::awaitable<Delivery> deliver(Parcel parcel, Attempt attempt) = 0;
};

}  // namespace edged::mail
