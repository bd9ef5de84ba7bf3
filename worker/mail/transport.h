// SPDX-License-Identifier: Apache-2.0
// How a rendered message leaves: a maildir here, SMTP or an HTTP provider behind the same
// interface. deliver() may be repeated with the same message after an unknown outcome.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "proto/base/status.h"
#include "worker/mail/message.h"

namespace edged::mail {

// kRepeated: an earlier delivery of this message may have been under way, and may have succeeded.
enum class Attempt { kFirst, kRepeated };

class Transport {
 public:
  virtual ~Transport() = default;

  // ok: the message was accepted for good. Errors: kUnavailable, kDiskFull, kIoError: try again
  // later; kUnknownOutcome: it may have been accepted; kInvalidArgument: this message will never be
  // accepted.
  virtual boost::asio::awaitable<Status> deliver(Message message, Attempt attempt) = 0;
};

}  // namespace edged::mail
