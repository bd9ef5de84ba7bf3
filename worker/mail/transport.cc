// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/transport.h"

namespace edged::mail {

std::string_view to_string(Delivery::Outcome outcome) {
  switch (outcome) {
    case Delivery::Outcome::kAccepted:
      return "accepted";
    case Delivery::Outcome::kTemporary:
      return "temporary";
    case Delivery::Outcome::kAddressBad:
      return "address";
    case Delivery::Outcome::kMessageBad:
      return "message";
    case Delivery::Outcome::kUnknown:
      return "unknown";
    case Delivery::Outcome::kMisconfigured:
      break;
  }
  return "misconfigured";
}

Delivery delivery_of(const Status& status) {
  using Outcome = Delivery::Outcome;
  if (status.ok()) return {Outcome::kAccepted, {}, {}};
  switch (status.code()) {
    case Code::kInvalidArgument:
      return {Outcome::kMessageBad, status.message(), {}};
    case Code::kUnknownOutcome:
      return {Outcome::kUnknown, status.message(), {}};
    default:
      return {Outcome::kTemporary, status.message(), {}};
  }
}

std::string Transport::freeze(const std::vector<Message>&) const {
  return {};
}

}  // namespace edged::mail
