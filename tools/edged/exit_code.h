// SPDX-License-Identifier: Apache-2.0
// The exit codes of both programs, as docs/kvctl.md and `edged --help` list them. Any thread.
#pragma once

#include "proto/base/status.h"

namespace edged {

enum ExitCode {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitUnavailable = 4,
  kExitDenied = 5,
  kExitCorrupt = 6,
};

inline int exit_code_of(Code code) {
  switch (code) {
    case Code::kOk:
      return kExitDone;
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kUnsupported:
      return kExitUsage;
    case Code::kNotFound:
    case Code::kNamespaceNotFound:
      return kExitNotFound;
    case Code::kBusy:
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kUnknownOutcome:
      return kExitUnavailable;
    case Code::kUnauthenticated:
    case Code::kDenied:
      return kExitDenied;
    case Code::kCorruption:
      return kExitCorrupt;
    default:
      return kExitFailed;
  }
}

}  // namespace edged
