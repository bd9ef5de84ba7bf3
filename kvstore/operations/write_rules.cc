// SPDX-License-Identifier: Apache-2.0
// See write_rules.h.
#include "kvstore/operations/write_rules.h"

#include <algorithm>
#include <variant>

#include "kvstore/operations/shared.h"

namespace edged::operations {
namespace {

Kind kind_of(const storage::Operation& operation) {
  if (std::holds_alternative<storage::Put>(operation)) return Kind::kPut;
  if (std::holds_alternative<storage::Delete>(operation)) return Kind::kDelete;
  if (std::holds_alternative<storage::Add>(operation)) return Kind::kAdd;
  if (std::holds_alternative<storage::Check>(operation)) return Kind::kCheck;
  return std::get<storage::Touch>(operation).want_entry ? Kind::kGetAndTouch : Kind::kTouch;
}

}  // namespace

Kind kind_of(const storage::Write& write) {
  if (write.operations.empty()) return Kind::kBatch;
  const Kind first = kind_of(write.operations.front());
  if (write.operations.size() == 1) return first;
  const bool alike = std::all_of(write.operations.begin(),
                                 write.operations.end(),
                                 [first](const auto& one) { return kind_of(one) == first; });
  if (write.atomic || !alike) return Kind::kBatch;
  if (first == Kind::kPut) return Kind::kPutMany;
  return first == Kind::kDelete ? Kind::kDeleteMany : Kind::kBatch;
}

std::size_t bytes_of(const storage::Write& write) {
  std::size_t bytes = 0;
  for (const storage::Operation& operation : write.operations) {
    bytes += std::visit([](const auto& one) { return sizeof(one) + one.key.size(); }, operation);
    if (const auto* put = std::get_if<storage::Put>(&operation)) {
      bytes += put->value.size() + put->metadata.size();
    }
  }
  return bytes;
}

Code code_of(const Result<std::vector<storage::WriteOutcome>>& written, bool atomic) {
  if (!written) return written.code();
  if (written->size() == 1) return written->front().code;
  const bool failed = std::any_of(
      written->begin(), written->end(), [](const auto& one) { return one.code != Code::kOk; });
  return atomic && failed ? Code::kConflict : Code::kOk;
}

Status authorize_write(Caller& caller, const storage::Write& write) {
  for (const storage::Operation& operation : write.operations) {
    Status allowed = std::visit(
        [&](const auto& one) {
          Demand demand = demand_of(kind_of(operation), one.ns, one.key);
          demand.as_mirror = write.mirror.has_value();
          return caller.authorize(demand);
        },
        operation);
    if (!allowed.ok()) return allowed;
  }
  if (!write.mirror) return caller.identify();
  Demand demand = demand_of(Kind::kBatch, write.mirror->ns);
  demand.as_mirror = true;
  return caller.authorize(demand);
}

}  // namespace edged::operations
