// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/linear_versions.h"

#include <algorithm>

namespace edged::soak {

std::string judge_versions(std::vector<LinearOp> all_keys) {
  std::erase_if(all_keys, [](const LinearOp& op) {
    return !op.answered || op.code != Code::kOk || op.kind == LinearKind::kGet || op.version == 0;
  });
  std::vector<const LinearOp*> by_return;
  for (const LinearOp& op : all_keys) by_return.push_back(&op);
  std::sort(by_return.begin(), by_return.end(), [](const LinearOp* a, const LinearOp* b) {
    return a->returned < b->returned;
  });
  std::vector<LinearOp> by_start = all_keys;
  std::sort(by_start.begin(), by_start.end(), [](const LinearOp& a, const LinearOp& b) {
    return a.invoked < b.invoked;
  });
  std::size_t ended = 0;
  const LinearOp* newest = nullptr;  // of those that had ended
  for (const LinearOp& op : by_start) {
    for (; ended < by_return.size() && by_return[ended]->returned < op.invoked; ++ended) {
      if (newest == nullptr || by_return[ended]->version > newest->version)
        newest = by_return[ended];
    }
    if (newest != nullptr && op.version <= newest->version) {
      return "the version did not grow from " + text_of(*newest) + " to " + text_of(op);
    }
  }
  return "";
}

}  // namespace edged::soak
