// SPDX-License-Identifier: Apache-2.0
// See linear_history.h.
#include "tests/soak/linear_history.h"

#include <algorithm>

namespace edged::soak {
namespace {

const char* name_of(LinearKind kind) {
  switch (kind) {
    case LinearKind::kGet:
      return "get";
    case LinearKind::kPut:
      return "put";
    case LinearKind::kPutIfAbsent:
      return "put_if_absent";
    case LinearKind::kPutIfPresent:
      return "put_if_present";
    case LinearKind::kPutIfVersion:
      return "put_if_version";
    case LinearKind::kDelete:
      return "delete";
    case LinearKind::kDeleteIfVersion:
      return "delete_if_version";
  }
  return "?";
}

}  // namespace

bool is_put(LinearKind kind) {
  return kind == LinearKind::kPut || kind == LinearKind::kPutIfAbsent ||
         kind == LinearKind::kPutIfPresent || kind == LinearKind::kPutIfVersion;
}

std::vector<LinearMoment> moments_of(const std::vector<LinearOp>& history) {
  std::vector<LinearMoment> moments;
  moments.reserve(2 * history.size());
  for (std::size_t i = 0; i < history.size(); ++i) {
    moments.push_back({history[i].invoked, false, i});
    moments.push_back({history[i].returned, true, i});
  }
  std::sort(moments.begin(), moments.end(), [](const LinearMoment& a, const LinearMoment& b) {
    return a.time != b.time ? a.time < b.time : !a.returns && b.returns;
  });
  return moments;
}

std::string text_of(const LinearOp& op) {
  std::string text = "[" + std::to_string(op.invoked) + ", " +
                     (op.returned == kNever ? "never" : std::to_string(op.returned)) + "] " +
                     name_of(op.kind);
  if (is_put(op.kind)) text += " " + std::to_string(op.value);
  if (op.if_version != 0) text += " (if " + std::to_string(op.if_version) + ")";
  if (!op.answered) return text + ": unknown";
  text += ": " + std::string(code_name(op.code));
  if (op.value_read != 0) text += ", value " + std::to_string(op.value_read);
  if (op.version != 0) text += ", version " + std::to_string(op.version);
  return text;
}

}  // namespace edged::soak
