// SPDX-License-Identifier: Apache-2.0
// See writes.h.
#include "kvstore/server/writes.h"

#include <chrono>
#include <utility>

#include "kvstore/server/reads.h"
#include "proto/base/check.h"
#include "proto/wire/limits.h"

namespace edged::server {
namespace {

using storage::Condition;
using wire::Opcode;

// 100 years and the end of the year 9999: far from the overflow of any arithmetic on milliseconds.
constexpr std::uint64_t kTtlMsMax = 3'155'760'000'000;
constexpr std::uint64_t kExpiresAtMsMax = 253'402'300'799'999;

Status invalid(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

Status set_expiry(const wire::Fields& fields, storage::Put& put) {
  if (fields.ttl_ms && fields.expires_at_ms) {
    return invalid("could not put: both a TTL and an expiry are given");
  }
  if (fields.ttl_ms) {
    if (*fields.ttl_ms == 0 || *fields.ttl_ms > kTtlMsMax) {
      return invalid("could not put: TTL is not between 1 ms and 100 years");
    }
    put.ttl = std::chrono::milliseconds(*fields.ttl_ms);
  }
  if (fields.expires_at_ms) {
    if (*fields.expires_at_ms > kExpiresAtMsMax) {
      return invalid("could not put: expiry is behind the year 9999");
    }
    put.expires_at = from_unix_ms(static_cast<std::int64_t>(*fields.expires_at_ms));
  }
  return {};
}

Result<storage::Operation> plan_put(storage::NamespaceNumber ns, const wire::Item& item) {
  storage::Put put;
  put.ns = ns;
  put.key = item.key;
  if (item.value.size() > wire::kValueBytesMax) {
    return Status(Code::kTooLarge, "could not put: the value is above 1 MiB");
  }
  put.value = item.value;
  if (item.fields.metadata) {
    if (item.fields.metadata->size() > wire::kMetadataBytesMax) {
      return Status(Code::kTooLarge, "could not put: metadata is above 1024 bytes");
    }
    put.metadata = *item.fields.metadata;
  }
  Status expiry = set_expiry(item.fields, put);
  if (!expiry.ok()) {
    return expiry;
  }
  switch (item.opcode) {
    case Opcode::kPutIfAbsent:
      put.condition = Condition::kAbsent;
      break;
    case Opcode::kPutIfPresent:
      put.condition = Condition::kPresent;
      break;
    case Opcode::kPutIfVersion:
      put.condition = Condition::kVersion;
      break;
    default:
      break;
  }
  put.version = item.fields.if_version.value_or(0);
  return storage::Operation(std::move(put));
}

Result<storage::Operation> plan_delete(storage::NamespaceNumber ns, const wire::Item& item) {
  if (!item.value.empty()) {
    return invalid("could not delete: a value is given");
  }
  storage::Delete remove;
  remove.ns = ns;
  remove.key = item.key;
  if (item.opcode == Opcode::kDeleteIfVersion) {
    remove.condition = Condition::kVersion;
  }
  remove.version = item.fields.if_version.value_or(0);
  return storage::Operation(std::move(remove));
}

bool is_put(Opcode opcode) {
  return opcode == Opcode::kPut || opcode == Opcode::kPutIfAbsent ||
         opcode == Opcode::kPutIfPresent || opcode == Opcode::kPutIfVersion;
}

bool is_delete(Opcode opcode) {
  return opcode == Opcode::kDelete || opcode == Opcode::kDeleteIfVersion;
}

Result<storage::Operation> plan_item(storage::NamespaceNumber ns, const wire::Item& item) {
  Status key = check_key(item.key);
  if (!key.ok()) {
    return key;
  }
  // A condition that would be ignored is worse than an error.
  const bool by_version =
      item.opcode == Opcode::kPutIfVersion || item.opcode == Opcode::kDeleteIfVersion;
  if (by_version != item.fields.if_version.has_value()) {
    return invalid("could not write: if_version and the operation do not go together");
  }
  if (item.fields.ns) {
    return Status(Code::kUnsupported, "could not write: an item cannot name its own namespace yet");
  }
  return is_put(item.opcode) ? plan_put(ns, item) : plan_delete(ns, item);
}

void add_operation(storage::Operation operation, PlannedWrite& plan) {
  plan.places.push_back(plan.outcomes.size());
  plan.outcomes.emplace_back();
  plan.write.operations.push_back(std::move(operation));
}

Result<PlannedWrite> plan_multi(const wire::Request& request, PlannedWrite plan) {
  plan.multi = true;
  wire::ItemReader reader(request.value);
  wire::Item item;
  while (reader.next(item)) {
    const bool fits =
        request.opcode == Opcode::kMultiPut ? is_put(item.opcode) : is_delete(item.opcode);
    if (!fits) {
      return invalid("could not read items: an operation does not belong into this request");
    }
    if (plan.outcomes.size() == wire::kItemsMax) {
      return Status(Code::kTooLarge, "could not read items: more than 1000 in one request");
    }
    plan.opcodes.push_back(item.opcode);
    Result<storage::Operation> operation = plan_item(request.ns, item);
    if (operation) {
      add_operation(*std::move(operation), plan);
    } else {
      plan.outcomes.push_back({operation.error().code(), operation.error().message(), 0});
    }
  }
  if (!reader.status().ok()) {
    return reader.status();
  }
  if (plan.outcomes.empty()) {
    return invalid("could not read items: there are none");
  }
  return plan;
}

wire::Fields outcome_fields(const storage::WriteOutcome& outcome, bool with_message) {
  wire::Fields fields;
  if (outcome.version != 0) {
    fields.version = outcome.version;
  }
  if (with_message && !outcome.message.empty()) {
    fields.message = cut_message(outcome.message);
  }
  return fields;
}

std::string encode_outcomes(const PlannedWrite& plan, bool with_messages) {
  std::string items;
  for (std::size_t i = 0; i < plan.outcomes.size(); ++i) {
    wire::Item item;
    item.opcode = plan.opcodes[i];
    item.status = plan.outcomes[i].code;
    item.fields = outcome_fields(plan.outcomes[i], with_messages);
    wire::append_item(item, items);
  }
  return items;
}

}  // namespace

bool is_write(Opcode opcode) {
  return is_put(opcode) || is_delete(opcode) || opcode == Opcode::kMultiPut ||
         opcode == Opcode::kMultiDelete;
}

Result<PlannedWrite> plan_write(const wire::Request& request, storage::Durability durability) {
  PlannedWrite plan;
  plan.write.durability =
      (request.flags & wire::kFlagSync) != 0 ? storage::Durability::kSync : durability;
  if (request.opcode == Opcode::kMultiPut || request.opcode == Opcode::kMultiDelete) {
    return plan_multi(request, std::move(plan));
  }
  Result<storage::Operation> operation = plan_item(
      request.ns, {request.opcode, Code::kOk, request.fields, request.key, request.value});
  if (!operation) {
    return operation.error();
  }
  plan.opcodes.push_back(request.opcode);
  add_operation(*std::move(operation), plan);
  return plan;
}

Code answer_write(PlannedWrite plan,
                  Result<std::vector<storage::WriteOutcome>> written,
                  const ReplyTo& to,
                  std::string& out) {
  if (!written) {
    return append_failure(to, written.error(), out);
  }
  KV_CHECK(written->size() == plan.places.size());
  for (std::size_t i = 0; i < written->size(); ++i) {
    plan.outcomes[plan.places[i]] = std::move((*written)[i]);
  }
  if (!plan.multi) {
    const storage::WriteOutcome& outcome = plan.outcomes.front();
    if (outcome.code == Code::kOk) {
      return append_reply(to, outcome_fields(outcome, false), {}, out);
    }
    return append_failure(
        to, Status(outcome.code, outcome.message), out, outcome_fields(outcome, false));
  }
  std::string items = encode_outcomes(plan, true);
  if (items.size() > to.body_bytes_max) {
    items = encode_outcomes(plan, false);  // at most 24 bytes an item: always fits
  }
  return append_reply(to, {}, items, out);
}

}  // namespace edged::server
