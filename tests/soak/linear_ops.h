// SPDX-License-Identifier: Apache-2.0
// Operations of a history in one line each, for tests.
#pragma once

#include <cstdint>

#include "tests/soak/linear_history.h"

namespace edged::soak {

// An operation from `invoked` to `returned`; what it was answered is set by the functions below.
struct At {
  std::int64_t invoked;
  std::int64_t returned;
};

inline LinearOp op(At at, LinearKind kind, std::uint64_t value = 0, std::uint64_t if_version = 0) {
  LinearOp made;
  made.kind = kind;
  made.value = value;
  made.if_version = if_version;
  made.invoked = at.invoked;
  made.returned = at.returned;
  return made;
}

inline LinearOp answered(LinearOp made, Code code, std::uint64_t version = 0) {
  made.answered = true;
  made.code = code;
  made.version = version;
  return made;
}

inline LinearOp put(At at, std::uint64_t value, std::uint64_t version) {
  return answered(op(at, LinearKind::kPut, value), Code::kOk, version);
}
inline LinearOp put_if(
    At at, std::uint64_t value, std::uint64_t if_version, Code code, std::uint64_t version) {
  return answered(op(at, LinearKind::kPutIfVersion, value, if_version), code, version);
}
inline LinearOp put_if_absent(At at, std::uint64_t value, Code code, std::uint64_t version) {
  return answered(op(at, LinearKind::kPutIfAbsent, value), code, version);
}
inline LinearOp remove(At at) {
  return answered(op(at, LinearKind::kDelete), Code::kOk);
}
inline LinearOp remove_if(At at, std::uint64_t if_version, Code code, std::uint64_t version = 0) {
  return answered(op(at, LinearKind::kDeleteIfVersion, 0, if_version), code, version);
}
inline LinearOp get(At at, std::uint64_t value, std::uint64_t version) {
  LinearOp made = answered(op(at, LinearKind::kGet), Code::kOk, version);
  made.value_read = value;
  return made;
}
inline LinearOp get_nothing(At at) {
  return answered(op(at, LinearKind::kGet), Code::kNotFound);
}
inline LinearOp remove_with_version(At at, std::uint64_t version) {
  return answered(op(at, LinearKind::kDelete), Code::kOk, version);
}

}  // namespace edged::soak
