// SPDX-License-Identifier: Apache-2.0
#include "proto/base/status.h"

namespace edged {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kNotFound:
      return "not_found";
    case Code::kExists:
      return "exists";
    case Code::kVersionMismatch:
      return "version_mismatch";
    case Code::kStale:
      return "stale";
    case Code::kLeaseWon:
      return "lease_won";
    case Code::kLeaseWait:
      return "lease_wait";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kTooLarge:
      return "too_large";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kConflict:
      return "conflict";
    case Code::kBadFrame:
      return "bad_frame";
    case Code::kNamespaceNotFound:
      return "namespace_not_found";
    case Code::kBusy:
      return "busy";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kDeadlineExceeded:
      return "deadline_exceeded";
    case Code::kUnknownOutcome:
      return "unknown_outcome";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kDenied:
      return "denied";
    case Code::kInternal:
      return "internal";
    case Code::kDiskFull:
      return "disk_full";
    case Code::kCorruption:
      return "corruption";
    case Code::kIoError:
      return "io_error";
  }
  return "unknown";
}

bool retryable(Code code) {
  return (static_cast<std::uint16_t>(code) >> 8) == 2 && code != Code::kUnknownOutcome;
}

std::string Status::to_string() const {
  std::string text(code_name(code_));
  if (!message_.empty()) text += ": " + message_;
  return text;
}

Status Status::with_context(std::string_view context) const {
  std::string text(context);
  if (message_ == text || message_.starts_with(text + ": ")) return *this;
  if (!message_.empty()) text += ": " + message_;
  return Status(code_, std::move(text));
}

}  // namespace edged
