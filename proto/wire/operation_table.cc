// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/operation_table.h"

#include <array>
#include <bit>
#include <string>
#include <utility>

#include "proto/wire/limits.h"

namespace edged::wire {
namespace {

using Key = OperationShape::Key;
using Namespace = OperationShape::Namespace;
using Use = OperationShape::Use;
using Value = OperationShape::Value;

constexpr TlvSet kExpiry{Tlv::kExpiresAt, Tlv::kTtl};
constexpr TlvSet kPutTlvs = kExpiry | TlvSet{Tlv::kMetadata};
constexpr TlvSet kEntry{Tlv::kVersion, Tlv::kExpiresAt, Tlv::kMetadata};
constexpr TlvSet kMirrored{Tlv::kSourcePosition, Tlv::kFreshAsOf};
constexpr TlvSet kBounds{Tlv::kMaxStaleness, Tlv::kMinPosition};
constexpr TlvSet kWritten{Tlv::kVersion};
constexpr TlvSet kSizeAnnounced{Tlv::kValueBytes};
constexpr TlvSet kPage{Tlv::kLimit, Tlv::kCursor};
constexpr TlvSet kNamespaceTlvs{Tlv::kNamespace, Tlv::kNamespaceId, Tlv::kTitle, Tlv::kCreatedAt};

constexpr std::uint16_t kHints = kFlagNoCache | kFlagStaleOk;
constexpr std::uint16_t kEntryFlags = kFlagMetadata | kFlagInfo | kHints;
constexpr std::uint16_t kWriteFlags = kFlagSync | kFlagQuiet;

constexpr OperationShape put(Opcode opcode, std::string_view name, TlvSet required = {}) {
  return {.opcode = opcode,
          .name = name,
          .use = Use::kBoth,
          .ns = Namespace::kNeeded,
          .key = Key::kNeeded,
          .value = Value::kBytes,
          .required = required,
          .optional = kPutTlvs,
          .frame_only = kSizeAnnounced,
          .flags = kWriteFlags | kFlagMore,
          .answered = kWritten};
}

// A write of a key without a value.
constexpr OperationShape keyed(Opcode opcode,
                               std::string_view name,
                               TlvSet required = {},
                               TlvSet optional = {}) {
  return {.opcode = opcode,
          .name = name,
          .use = Use::kBoth,
          .ns = Namespace::kNeeded,
          .key = Key::kNeeded,
          .required = required,
          .optional = optional,
          .flags = kWriteFlags,
          .answered = kWritten};
}

constexpr OperationShape check(Opcode opcode, std::string_view name, TlvSet required = {}) {
  return {.opcode = opcode,
          .name = name,
          .use = Use::kItem,
          .key = Key::kNeeded,
          .required = required,
          .answered = kWritten};
}

constexpr OperationShape several(Opcode opcode,
                                 std::string_view name,
                                 TlvSet optional,
                                 std::uint16_t flags) {
  return {.opcode = opcode,
          .name = name,
          .ns = Namespace::kNeeded,
          .value = Value::kItems,
          .optional = optional,
          .flags = flags};
}

constexpr OperationShape of_namespace(Opcode opcode, std::string_view name, TlvSet required = {}) {
  return {.opcode = opcode, .name = name, .ns = Namespace::kNeeded, .required = required};
}

constexpr std::array kTable{
    OperationShape{.opcode = Opcode::kGet,
                   .name = "GET",
                   .use = Use::kBoth,
                   .ns = Namespace::kNeeded,
                   .key = Key::kNeeded,
                   .frame_only = TlvSet{Tlv::kTtl, Tlv::kSourcePosition} | kBounds,
                   .flags = kEntryFlags | kFlagQuiet | kFlagLease,
                   .answered = kEntry | kMirrored | TlvSet{Tlv::kValueBytes, Tlv::kLease}},
    put(Opcode::kPut, "PUT"),
    put(Opcode::kPutIfAbsent, "PUT_IF_ABSENT"),
    put(Opcode::kPutIfPresent, "PUT_IF_PRESENT"),
    put(Opcode::kPutIfVersion, "PUT_IF_VERSION", {Tlv::kIfVersion}),
    keyed(Opcode::kDelete, "DELETE"),
    keyed(Opcode::kDeleteIfVersion, "DELETE_IF_VERSION", {Tlv::kIfVersion}),
    keyed(Opcode::kTouch, "TOUCH", {}, kExpiry | TlvSet{Tlv::kIfVersion}),
    OperationShape{.opcode = Opcode::kGetAndTouch,
                   .name = "GET_AND_TOUCH",
                   .ns = Namespace::kNeeded,
                   .key = Key::kNeeded,
                   .optional = kExpiry | TlvSet{Tlv::kIfVersion},
                   .flags = kEntryFlags | kWriteFlags,
                   .answered = kEntry},
    keyed(Opcode::kAdd, "ADD", {Tlv::kDelta}, kExpiry | TlvSet{Tlv::kInitial}),
    several(Opcode::kMultiGet, "MGET", kBounds | TlvSet{Tlv::kSourcePosition}, kEntryFlags),
    several(Opcode::kMultiPut, "MPUT", kSizeAnnounced, kFlagSync | kFlagMore),
    several(Opcode::kMultiDelete, "MDEL", {}, kFlagSync),
    OperationShape{.opcode = Opcode::kList,
                   .name = "LIST",
                   .ns = Namespace::kNeeded,
                   .key = Key::kPrefix,
                   .optional = kPage | TlvSet{Tlv::kSourcePosition},
                   .flags = kEntryFlags | kFlagWithValues | kFlagCached,
                   .answered = kMirrored | TlvSet{Tlv::kCursor}},
    put(Opcode::kLeasePut, "LEASE_PUT", {Tlv::kLease}),
    keyed(Opcode::kInvalidate, "INVALIDATE"),
    several(Opcode::kBatch, "BATCH", kMirrored | kSizeAnnounced, kWriteFlags | kFlagMore),
    check(Opcode::kCheckPresent, "CHECK_PRESENT"),
    check(Opcode::kCheckAbsent, "CHECK_ABSENT"),
    check(Opcode::kCheckVersion, "CHECK_VERSION", {Tlv::kIfVersion}),
    OperationShape{
        .opcode = Opcode::kOpen, .name = "OPEN", .key = Key::kNeeded, .answered = kNamespaceTlvs},
    OperationShape{.opcode = Opcode::kAuth,
                   .name = "AUTH",
                   .required = {Tlv::kCredential},
                   .answered = {Tlv::kScope, Tlv::kExpiresAt}},
    OperationShape{.opcode = Opcode::kPing,
                   .name = "PING",
                   .value = Value::kBytes,
                   .answered = {Tlv::kServerTime}},
    OperationShape{.opcode = Opcode::kStats, .name = "STATS"},
    OperationShape{.opcode = Opcode::kWatch,
                   .name = "WATCH",
                   .ns = Namespace::kNeeded,
                   .key = Key::kPrefix,
                   .optional = {Tlv::kVersion},
                   .answered = kWritten},
    OperationShape{.opcode = Opcode::kCancel, .name = "CANCEL", .value = Value::kBytes},
    OperationShape{.opcode = Opcode::kNamespaceCreate,
                   .name = "NAMESPACE_CREATE",
                   .required = {Tlv::kTitle},
                   .optional = {Tlv::kNamespaceId},
                   .answered = kNamespaceTlvs},
    OperationShape{.opcode = Opcode::kNamespaceList,
                   .name = "NAMESPACE_LIST",
                   .optional = kPage,
                   .answered = {Tlv::kCursor}},
    of_namespace(Opcode::kNamespaceRename, "NAMESPACE_RENAME", {Tlv::kTitle}),
    of_namespace(Opcode::kNamespaceDelete, "NAMESPACE_DELETE"),
    of_namespace(Opcode::kNamespaceClear, "NAMESPACE_CLEAR"),
    of_namespace(Opcode::kNamespaceUsage, "NAMESPACE_USAGE"),
    OperationShape{.opcode = Opcode::kClockConfirm, .name = "CLOCK_CONFIRM"},
    OperationShape{.opcode = Opcode::kTokenCreate, .name = "TOKEN_CREATE", .value = Value::kBytes},
    OperationShape{.opcode = Opcode::kTokenList,
                   .name = "TOKEN_LIST",
                   .optional = kPage,
                   .answered = {Tlv::kCursor}},
    OperationShape{.opcode = Opcode::kTokenRevoke, .name = "TOKEN_REVOKE", .value = Value::kBytes},
};

// By opcode: its index in kTable; kTable.size() if there is none.
constexpr std::array<std::uint8_t, 256> kIndexes = [] {
  std::array<std::uint8_t, 256> indexes{};
  indexes.fill(kTable.size());
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    indexes[static_cast<std::uint8_t>(kTable[i].opcode)] = static_cast<std::uint8_t>(i);
  }
  return indexes;
}();

constexpr std::pair<std::uint16_t, std::string_view> kFlagNames[] = {
    {kFlagCrc, "CRC"},
    {kFlagMore, "MORE"},
    {kFlagQuiet, "QUIET"},
    {kFlagFence, "FENCE"},
    {kFlagMetadata, "METADATA"},
    {kFlagInfo, "INFO"},
    {kFlagNoCache, "NO_CACHE"},
    {kFlagSync, "SYNC"},
    {kFlagStaleOk, "STALE_OK"},
    {kFlagLease, "LEASE"},
    {kFlagWithValues, "WITH_VALUES"},
    {kFlagCached, "CACHED"},
};

constexpr std::uint16_t kFlagsKnown = [] {
  std::uint16_t known = 0;
  for (const auto& [flag, name] : kFlagNames) known |= flag;
  return known;
}();

std::string hex_digits(unsigned number, int digits) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (int i = digits - 1; i >= 0; --i) text += kDigits[number >> (4 * i) & 15];
  return text;
}

Status refused(const OperationShape& shape, const std::string& why) {
  return {Code::kInvalidArgument, "could not do " + std::string(shape.name) + ": " + why};
}

std::string described(Tlv tlv) {
  return "the TLV " + std::string(tlv_name(tlv)) + " (" +
         hex_digits(static_cast<unsigned>(tlv), 2) + ")";
}

Status check_tlvs(const OperationShape& shape, TlvSet given, TlvSet allowed) {
  if (const TlvSet missing = shape.required.without(given); !missing.empty()) {
    return refused(shape, described(missing.first()) + " is missing");
  }
  if (const TlvSet excess = given.without(shape.required | allowed); !excess.empty()) {
    return refused(shape, described(excess.first()) + " does not belong to this operation");
  }
  return {};
}

Status unsupported(Opcode opcode) {
  return {Code::kUnsupported,
          "could not do operation " + hex_digits(static_cast<unsigned>(opcode), 2) + " (" +
              std::string(opcode_name(opcode)) + "): this node does not implement it as a request"};
}

Status check_flags(const OperationShape& shape, std::uint16_t flags) {
  const auto excess = static_cast<std::uint16_t>(flags & ~(shape.flags | kFlagsOfAll));
  if (excess == 0) return {};
  return refused(shape,
                 "the flag " + std::string(flag_name(excess)) + " (" +
                     hex_digits(std::uint16_t{1} << std::countr_zero(excess), 4) +
                     ") does not belong to this operation");
}

}  // namespace

Tlv TlvSet::first() const {
  return static_cast<Tlv>(std::countr_zero(bits_));
}

std::span<const OperationShape> operation_table() {
  return kTable;
}

const OperationShape* find_operation(Opcode opcode) {
  const std::size_t index = kIndexes[static_cast<std::uint8_t>(opcode)];
  return index == kTable.size() ? nullptr : &kTable[index];
}

std::string_view flag_name(std::uint16_t flags) {
  for (const auto& [flag, name] : kFlagNames) {
    if ((flags & flag) != 0) return name;
  }
  return "unknown";
}

Status check_shape(const Request& request) {
  const OperationShape* shape = find_operation(request.opcode);
  if (shape == nullptr || shape->use == Use::kItem) return unsupported(request.opcode);
  if (const int unknown = request.flags & ~kFlagsKnown; unknown != 0) {
    return {Code::kUnsupported,
            "could not do " + std::string(shape->name) +
                ": this node does not implement the flags " +
                hex_digits(static_cast<unsigned>(unknown), 4)};
  }
  Status checked = check_flags(*shape, request.flags);
  if (checked.ok()) {
    checked = check_tlvs(*shape, TlvSet::of(request.fields), shape->optional | shape->frame_only);
  }
  if (!checked.ok()) return checked;
  if (shape->ns == Namespace::kNone && request.ns != 0) {
    return refused(*shape, "this operation takes no namespace handle in the header");
  }
  if (shape->key == Key::kNone && !request.key.empty()) {
    return refused(*shape, "this operation takes no key");
  }
  if (shape->value == Value::kNone && !request.value.empty()) {
    return refused(*shape, "this operation takes no value");
  }
  if (request.fields.limit &&
      (*request.fields.limit == 0 || *request.fields.limit > kListLimitMax)) {
    return refused(*shape, described(Tlv::kLimit) + " is not between 1 and 1000");
  }
  if (request.opcode == Opcode::kGet && request.fields.ttl_ms &&
      (request.flags & kFlagLease) == 0) {
    return refused(*shape, described(Tlv::kTtl) + " belongs to a GET with the flag LEASE only");
  }
  return {};
}

Status check_item_shape(const Item& item) {
  const OperationShape* shape = find_operation(item.opcode);
  if (shape == nullptr || shape->use == Use::kRequest) {
    return {Code::kInvalidArgument,
            "could not read item: operation " + hex_digits(static_cast<unsigned>(item.opcode), 2) +
                " does not come as an item"};
  }
  if (item.status != Code::kOk) {
    return refused(*shape, "the status of an item in a request is not 0");
  }
  Status checked =
      check_tlvs(*shape, TlvSet::of(item.fields), shape->optional | TlvSet{Tlv::kNamespace});
  if (checked.ok() && shape->value == Value::kNone && !item.value.empty()) {
    checked = refused(*shape, "this operation takes no value");
  }
  return checked;
}

}  // namespace edged::wire
