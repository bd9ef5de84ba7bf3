// SPDX-License-Identifier: Apache-2.0
// Status and Result<T>: how every fallible call of edged reports failure. A Code tells the caller
// what to do next and is also the status on the wire (docs/protocol.md, "Status codes"): u16, class
// in the high byte. The message is for people: "could not open database \"kv\": lock held by
// another process". Value types; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "proto/base/check.h"

namespace edged {

// High byte = class: 0 answered, 1 the caller's fault, 2 try again, 3 not allowed, 4 the server's
// fault. A client that meets an unknown code acts on its class. Values are fixed for ever.
enum class Code : std::uint16_t {
  kOk = 0x0000,
  kNotFound = 0x0001,
  kExists = 0x0002,
  kVersionMismatch = 0x0003,
  kStale = 0x0004,
  kLeaseWon = 0x0005,   // a miss, and the caller is the one to fill the key
  kLeaseWait = 0x0006,  // a miss that another caller is filling: ask again later
  kInvalidArgument = 0x0100,
  kTooLarge = 0x0101,
  kUnsupported = 0x0102,
  kConflict = 0x0103,
  kBadFrame = 0x0104,
  kNamespaceNotFound = 0x0105,
  kBusy = 0x0200,
  kUnavailable = 0x0201,
  kDeadlineExceeded = 0x0202,
  // The call was sent and the connection died before its answer: it may or may not have happened.
  kUnknownOutcome = 0x0203,
  kUnauthenticated = 0x0300,
  kDenied = 0x0301,
  kInternal = 0x0400,
  kDiskFull = 0x0401,
  kCorruption = 0x0402,
  kIoError = 0x0403,
};

// The code's name as documents and metrics spell it: "not_found". Unknown codes give "unknown".
std::string_view code_name(Code code);

// True for class 2 except kUnknownOutcome: repeating the same call later may succeed and is safe.
bool retryable(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // "not_found: no such key", for logs.
  std::string to_string() const;

  // The same code with `context` before the message: "could not read state: connection refused".
  // A message that says so already, perhaps from the other side of a connection, stays as it is.
  Status with_context(std::string_view context) const;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// A value or a Status that is not ok. The interface is std::expected's, to be swapped for it later.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: as std::expected
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT
    KV_CHECK(!std::get<1>(state_).ok());
  }

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    KV_CHECK(has_value());
    return std::get<0>(state_);
  }
  const T& value() const& {
    KV_CHECK(has_value());
    return std::get<0>(state_);
  }
  T&& value() && {
    KV_CHECK(has_value());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Status& error() const {
    KV_CHECK(!has_value());
    return std::get<1>(state_);
  }
  // kOk if there is a value.
  Code code() const { return has_value() ? Code::kOk : error().code(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace edged
