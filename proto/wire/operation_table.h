// SPDX-License-Identifier: Apache-2.0
// What each operation of KVB/1 takes and answers: the table "All operations" of docs/protocol.md,
// in code. Servers validate requests and items by it. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "proto/base/status.h"
#include "proto/wire/message.h"

namespace edged::wire {

// A set of TLV types.
class TlvSet {
 public:
  constexpr TlvSet() = default;
  constexpr TlvSet(std::initializer_list<Tlv> tlvs) {
    for (const Tlv tlv : tlvs) bits_ |= bit(tlv);
  }
  // Those that `fields` holds.
  static TlvSet of(const Fields& fields);

  constexpr bool has(Tlv tlv) const { return (bits_ & bit(tlv)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr TlvSet operator|(TlvSet other) const { return TlvSet(bits_ | other.bits_); }
  constexpr TlvSet without(TlvSet other) const { return TlvSet(bits_ & ~other.bits_); }
  constexpr bool operator==(const TlvSet&) const = default;
  // The one with the lowest number; the set is not empty.
  Tlv first() const;

 private:
  constexpr explicit TlvSet(std::uint64_t bits) : bits_(bits) {}
  static constexpr std::uint64_t bit(Tlv tlv) {
    return std::uint64_t{1} << static_cast<unsigned>(tlv);
  }
  std::uint64_t bits_ = 0;
};

struct OperationShape {
  enum class Namespace : std::uint8_t {
    kNone,    // the header's is 0
    kNeeded,  // the header's, or that of each item
  };
  enum class Key : std::uint8_t { kNone, kNeeded, kPrefix };
  enum class Value : std::uint8_t { kNone, kBytes, kItems };
  // What the operation is: a request, an item of MGET, MPUT, MDEL or BATCH, or either.
  enum class Use : std::uint8_t { kRequest, kItem, kBoth };

  Opcode opcode;
  std::string_view name;  // as in docs/protocol.md: "GET"
  Use use = Use::kRequest;
  Namespace ns = Namespace::kNone;
  Key key = Key::kNone;
  Value value = Value::kNone;
  TlvSet required{};        // of request and item
  TlvSet optional{};        // likewise
  TlvSet frame_only{};      // of the request besides, not of the item
  std::uint16_t flags = 0;  // besides CRC and FENCE, which belong to all
  TlvSet answered{};        // besides message and retry_after, which any failure may carry
};

// Of flags that any request may have.
inline constexpr std::uint16_t kFlagsOfAll = kFlagCrc | kFlagFence;

std::span<const OperationShape> operation_table();
// Null if this version has no such operation.
const OperationShape* find_operation(Opcode opcode);

// "ttl", as in docs/protocol.md; "unknown" if this version does not know the type.
std::string_view tlv_name(Tlv tlv);
// "SYNC"; of the lowest bit that is set.
std::string_view flag_name(std::uint16_t flags);

// Whether a request has what the table demands and nothing that the table does not name. A fragment
// that is not the first one is judged with the first. Errors: kUnsupported (an operation or a flag
// that this version does not have); kInvalidArgument, with the name of the TLV or flag.
Status check_shape(const Request& request);

// The same of an item in a request. Errors: kInvalidArgument.
Status check_item_shape(const Item& item);

}  // namespace edged::wire
