// SPDX-License-Identifier: Apache-2.0
// See writes.h.
#include "kvstore/server/writes.h"

#include <algorithm>
#include <utility>

#include "kvstore/server/operations.h"
#include "kvstore/server/reads.h"
#include "proto/base/check.h"
#include "proto/wire/limits.h"
#include "proto/wire/operation_table.h"

namespace edged::server {
namespace {

using wire::Opcode;

// Which operations a request for several keys may hold.
bool belongs(Opcode item, Opcode request) {
  switch (request) {
    case Opcode::kMultiPut:
      return is_put(item) || item == Opcode::kTouch || item == Opcode::kAdd;
    case Opcode::kMultiDelete:
      return is_delete(item);
    default:
      return is_put(item) || is_delete(item) || is_check(item) || item == Opcode::kTouch ||
             item == Opcode::kAdd;
  }
}

bool is_multi(Opcode opcode) {
  return opcode == Opcode::kMultiPut || opcode == Opcode::kMultiDelete || opcode == Opcode::kBatch;
}

void add_operation(storage::Operation operation, PlannedWrite& plan) {
  plan.places.push_back(plan.outcomes.size());
  plan.outcomes.emplace_back();
  plan.write.operations.push_back(std::move(operation));
}

// Appends what `item` asks for to the plan.
Status plan_item(const wire::Request& request, const wire::Item& item, PlannedWrite& plan) {
  if (!belongs(item.opcode, request.opcode)) {
    return {Code::kInvalidArgument,
            "could not read items: the operation of an item is not allowed in this request"};
  }
  const std::size_t items_max = plan.write.mirror ? wire::kMirrorItemsMax : wire::kItemsMax;
  if (plan.outcomes.size() == items_max) {
    return {Code::kTooLarge,
            "could not read items: more than " + std::to_string(items_max) + " in one request"};
  }
  plan.opcodes.push_back(item.opcode);
  Status shape = wire::check_item_shape(item);
  Result<storage::Operation> operation =
      shape.ok() ? to_operation(request.ns, item) : Result<storage::Operation>(std::move(shape));
  if (operation) {
    add_operation(*std::move(operation), plan);
    return {};
  }
  if (plan.write.atomic) {
    return operation.error().with_context("could not do batch: item " +
                                          std::to_string(plan.outcomes.size()));
  }
  plan.outcomes.push_back({operation.error().code(), operation.error().message(), 0, {}, {}});
  return {};
}

std::optional<storage::MirrorMark> mirror_mark(const wire::Request& request) {
  if (!request.fields.source_position) {
    return std::nullopt;
  }
  storage::MirrorMark mark;
  mark.ns = request.ns;
  mark.position = *request.fields.source_position;
  if (request.fields.fresh_as_of_ms) {
    // What is too late for the store is so whatever it is.
    mark.fresh_as_of = from_unix_ms(static_cast<std::int64_t>(
        std::min(*request.fields.fresh_as_of_ms, storage::kExpiryMsMax + 1)));
  }
  return mark;
}

Result<PlannedWrite> plan_multi(const wire::Request& request, PlannedWrite plan) {
  plan.multi = true;
  plan.write.atomic = request.opcode == Opcode::kBatch;
  plan.write.mirror = mirror_mark(request);
  wire::ItemReader reader(request.value);
  wire::Item item;
  while (reader.next(item)) {
    Status planned = plan_item(request, item, plan);
    if (!planned.ok()) {
      return planned;
    }
  }
  if (!reader.status().ok()) {
    return reader.status();
  }
  if (plan.outcomes.empty()) {
    return Status(Code::kInvalidArgument, "could not read items: the request has none");
  }
  return plan;
}

// `number` holds the text that the item's value refers to.
wire::Item outcome_item(Opcode opcode,
                        const storage::WriteOutcome& outcome,
                        std::uint16_t flags,
                        std::string& number) {
  wire::Item item;
  item.opcode = opcode;
  item.status = outcome.code;
  if (outcome.entry) {
    item.fields = entry_fields(*outcome.entry, flags);
    item.value = outcome.entry->value;
  }
  if (outcome.version != 0) {
    item.fields.version = outcome.version;
  }
  if (outcome.number) {
    number = std::to_string(*outcome.number);
    item.value = number;
  }
  return item;
}

std::string encode_outcomes(const PlannedWrite& plan, bool with_messages) {
  std::string items, number;
  for (std::size_t i = 0; i < plan.outcomes.size(); ++i) {
    const storage::WriteOutcome& outcome = plan.outcomes[i];
    wire::Item item = outcome_item(plan.opcodes[i], outcome, plan.flags, number);
    if (with_messages && !outcome.message.empty()) {
      item.fields.message = cut_message(outcome.message);
    }
    wire::append_item(item, items);
  }
  return items;
}

// Of an atomic write that failed: the item that is to blame.
std::string first_failure(const PlannedWrite& plan) {
  for (std::size_t i = 0; i < plan.outcomes.size(); ++i) {
    const storage::WriteOutcome& outcome = plan.outcomes[i];
    if (outcome.code != Code::kOk && outcome.code != Code::kConflict) {
      return "item " + std::to_string(i) + " failed: " + std::string(code_name(outcome.code)) +
             ": " + outcome.message;
    }
  }
  return "an item is in conflict: " + plan.outcomes.front().message;
}

Code answer_single(const storage::WriteOutcome& outcome,
                   std::uint16_t flags,
                   const ReplyTo& to,
                   std::string& out) {
  std::string number;
  const wire::Item item = outcome_item(to.opcode, outcome, flags, number);
  if (outcome.code == Code::kOk) {
    return append_reply(to, item.fields, item.value, out);
  }
  return append_failure(to, Status(outcome.code, outcome.message), out, item.fields);
}

}  // namespace

Result<PlannedWrite> plan_write(const wire::Request& request, storage::Durability durability) {
  PlannedWrite plan;
  plan.flags = request.flags;
  plan.write.durability =
      (request.flags & wire::kFlagSync) != 0 ? storage::Durability::kSync : durability;
  if (is_multi(request.opcode)) {
    return plan_multi(request, std::move(plan));
  }
  const wire::Item item{request.opcode, Code::kOk, request.fields, request.key, request.value};
  Result<storage::Operation> operation = to_operation(request.ns, item);
  if (!operation) {
    return operation.error();
  }
  plan.write.operations.push_back(*std::move(operation));
  return plan;
}

Code answer_write(PlannedWrite plan,
                  Result<std::vector<storage::WriteOutcome>> written,
                  const ReplyTo& to,
                  std::string& out) {
  if (!written) {
    return append_failure(to, written.error(), out);
  }
  if (!plan.multi) {
    KV_CHECK(written->size() == 1);
    return answer_single(written->front(), plan.flags, to, out);
  }
  KV_CHECK(written->size() == plan.places.size());
  for (std::size_t i = 0; i < written->size(); ++i) {
    plan.outcomes[plan.places[i]] = std::move((*written)[i]);
  }
  const bool failed = std::any_of(plan.outcomes.begin(), plan.outcomes.end(), [](const auto& one) {
    return one.code != Code::kOk;
  });
  std::string items = encode_outcomes(plan, true);
  if (items.size() > to.body_bytes_max) {
    items = encode_outcomes(plan, false);  // at most 48 bytes an item: 1,000 always fit
  }
  const Code status = plan.write.atomic && failed ? Code::kConflict : Code::kOk;
  wire::Fields fields;
  std::string why;
  if (items.size() > to.body_bytes_max) {
    items.clear();
    why = failed ? first_failure(plan) : std::string();
    fields.message = failed ? std::optional(cut_message(why)) : std::nullopt;
  }
  wire::append_response({to.opcode, to.flags, to.id, status, fields, items}, out);
  return status;
}

}  // namespace edged::server
