// SPDX-License-Identifier: Apache-2.0
// See operations.h. That an item has the fields of its operation, and no others, was checked
// (proto/wire/operation_table.h).
#include "kvstore/server/operations.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "kvstore/operations/disk_reads.h"
#include "proto/wire/limits.h"

namespace edged::server {
namespace {

using storage::Condition;
using storage::Operation;
using wire::Opcode;

// 100 years and the end of the year 9999: far from the overflow of any arithmetic on milliseconds.
constexpr std::uint64_t kTtlMsMax = 3'155'760'000'000;
constexpr std::uint64_t kExpiresAtMsMax = 253'402'300'799'999;

Status invalid(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

// For Put, Touch and Add.
template <typename Expiring>
Status set_expiry(const wire::Fields& fields, Expiring& operation) {
  if (fields.ttl_ms && fields.expires_at_ms) {
    return invalid("could not write: both a TTL and an expiry are given");
  }
  if (fields.ttl_ms) {
    if (*fields.ttl_ms == 0 || *fields.ttl_ms > kTtlMsMax) {
      return invalid("could not write: TTL is not between 1 ms and 100 years");
    }
    operation.ttl = std::chrono::milliseconds(*fields.ttl_ms);
  }
  if (fields.expires_at_ms) {
    if (*fields.expires_at_ms > kExpiresAtMsMax) {
      return invalid("could not write: the expiry is after the year 9999");
    }
    operation.expires_at = from_unix_ms(static_cast<std::int64_t>(*fields.expires_at_ms));
  }
  return {};
}

Condition put_condition(Opcode opcode) {
  switch (opcode) {
    case Opcode::kPutIfAbsent:
      return Condition::kAbsent;
    case Opcode::kPutIfPresent:
      return Condition::kPresent;
    case Opcode::kPutIfVersion:
      return Condition::kVersion;
    default:
      return Condition::kNone;
  }
}

Result<Operation> to_put(storage::Put put, const wire::Item& item) {
  if (item.value.size() > storage::kValueBytesMax) {
    return Status(Code::kTooLarge, "could not put: the value is above 25 MiB");
  }
  const std::string_view metadata = item.fields.metadata.value_or("");
  if (metadata.size() > wire::kMetadataBytesMax) {
    return Status(Code::kTooLarge, "could not put: metadata is above 1024 bytes");
  }
  Status expiry = set_expiry(item.fields, put);
  if (!expiry.ok()) {
    return expiry;
  }
  put.value = item.value;
  put.metadata = metadata;
  put.condition = put_condition(item.opcode);
  put.version = item.fields.if_version.value_or(0);
  put.lease = item.fields.lease.value_or(0);
  return Operation(std::move(put));
}

Result<Operation> to_touch(storage::Touch touch, const wire::Item& item) {
  Status expiry = set_expiry(item.fields, touch);
  if (!expiry.ok()) {
    return expiry;
  }
  if (item.fields.if_version) {
    touch.condition = Condition::kVersion;
    touch.version = *item.fields.if_version;
  }
  touch.want_entry = item.opcode == Opcode::kGetAndTouch;
  return Operation(std::move(touch));
}

Result<Operation> to_add(storage::Add add, const wire::Item& item) {
  Status expiry = set_expiry(item.fields, add);
  if (!expiry.ok()) {
    return expiry;
  }
  add.delta = item.fields.delta.value_or(0);
  add.initial = item.fields.initial.value_or(0);
  return Operation(std::move(add));
}

Operation to_delete(storage::Delete remove, const wire::Item& item) {
  if (item.opcode == Opcode::kDeleteIfVersion) {
    remove.condition = Condition::kVersion;
  }
  remove.version = item.fields.if_version.value_or(0);
  return remove;
}

Operation to_check(storage::Check check, const wire::Item& item) {
  check.condition = item.opcode == Opcode::kCheckAbsent    ? Condition::kAbsent
                    : item.opcode == Opcode::kCheckVersion ? Condition::kVersion
                                                           : Condition::kPresent;
  check.version = item.fields.if_version.value_or(0);
  return check;
}

// With the namespace and the key, which all operations have.
template <typename Any>
Any keyed(storage::NamespaceNumber ns, std::string_view key) {
  Any operation;
  operation.ns = ns;
  operation.key = key;
  return operation;
}

}  // namespace

bool is_put(Opcode opcode) {
  return opcode == Opcode::kPut || opcode == Opcode::kPutIfAbsent ||
         opcode == Opcode::kPutIfPresent || opcode == Opcode::kPutIfVersion ||
         opcode == Opcode::kLeasePut;
}

bool is_delete(Opcode opcode) {
  return opcode == Opcode::kDelete || opcode == Opcode::kDeleteIfVersion ||
         opcode == Opcode::kInvalidate;
}

bool is_check(Opcode opcode) {
  return opcode == Opcode::kCheckPresent || opcode == Opcode::kCheckAbsent ||
         opcode == Opcode::kCheckVersion;
}

bool is_write(Opcode opcode) {
  return is_put(opcode) || is_delete(opcode) || opcode == Opcode::kTouch ||
         opcode == Opcode::kGetAndTouch || opcode == Opcode::kAdd || opcode == Opcode::kMultiPut ||
         opcode == Opcode::kMultiDelete || opcode == Opcode::kBatch;
}

Result<Operation> to_operation(storage::NamespaceNumber ns, const wire::Item& item) {
  Status checked = operations::check_key(item.key);
  if (checked.ok() && item.fields.lease && *item.fields.lease == 0) {
    checked = invalid("could not put: the lease must not be 0");
  }
  if (!checked.ok()) {
    return checked;
  }
  const storage::NamespaceNumber own = item.fields.ns.value_or(ns);
  if (is_put(item.opcode)) {
    return to_put(keyed<storage::Put>(own, item.key), item);
  }
  if (is_delete(item.opcode)) {
    return to_delete(keyed<storage::Delete>(own, item.key), item);
  }
  if (is_check(item.opcode)) {
    return to_check(keyed<storage::Check>(own, item.key), item);
  }
  return item.opcode == Opcode::kAdd ? to_add(keyed<storage::Add>(own, item.key), item)
                                     : to_touch(keyed<storage::Touch>(own, item.key), item);
}

}  // namespace edged::server
