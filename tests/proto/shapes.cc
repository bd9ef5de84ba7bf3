// SPDX-License-Identifier: Apache-2.0
#include "tests/proto/shapes.h"

#include <array>

#include "proto/base/check.h"
#include "proto/base/hex.h"

namespace edged::test {
namespace {

using wire::Fields;
using wire::OperationShape;
using wire::Tlv;

constexpr std::string_view kId = "0123456789abcdef0123456789abcdef";

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string tlv_cell(const OperationShape& shape) {
  std::vector<std::string> names;
  for (const Tlv tlv : all_tlvs()) {
    const std::string name(wire::tlv_name(tlv));
    if (shape.required.has(tlv)) names.push_back("**" + name + "**");
    if (shape.optional.has(tlv)) names.push_back(name);
    if (shape.frame_only.has(tlv)) names.push_back("*" + name + "*");
  }
  return join(names);
}

std::string flag_cell(const OperationShape& shape) {
  std::vector<std::string> names;
  for (const std::uint16_t flag : all_flags()) {
    if ((shape.flags & flag) != 0) names.emplace_back(wire::flag_name(flag));
  }
  return join(names);
}

std::string answer_cell(const OperationShape& shape) {
  std::vector<std::string> names;
  for (const Tlv tlv : all_tlvs()) {
    if (shape.answered.has(tlv)) names.emplace_back(wire::tlv_name(tlv));
  }
  return join(names);
}

}  // namespace

std::vector<Tlv> all_tlvs() {
  std::vector<Tlv> all;
  for (int number = 0; number < 64; ++number) {
    const auto tlv = static_cast<Tlv>(number);
    if (wire::tlv_name(tlv) != "unknown") all.push_back(tlv);
  }
  return all;
}

std::vector<std::uint16_t> all_flags() {
  std::vector<std::uint16_t> all;
  for (unsigned flag = 1; flag < 0x10000; flag <<= 1) {
    const auto one = static_cast<std::uint16_t>(flag);
    if (wire::flag_name(one) != "unknown") all.push_back(one);
  }
  return all;
}

void set_field(Tlv tlv, Fields& fields) {
  const std::array<std::pair<Tlv, std::optional<std::uint64_t> Fields::*>, 10> numbers{{
      {Tlv::kExpiresAt, &Fields::expires_at_ms},
      {Tlv::kTtl, &Fields::ttl_ms},
      {Tlv::kVersion, &Fields::version},
      {Tlv::kIfVersion, &Fields::if_version},
      {Tlv::kValueBytes, &Fields::value_bytes},
      {Tlv::kCreatedAt, &Fields::created_at_ms},
      {Tlv::kServerTime, &Fields::server_time_ms},
      {Tlv::kLease, &Fields::lease},
      {Tlv::kFreshAsOf, &Fields::fresh_as_of_ms},
      {Tlv::kMaxStaleness, &Fields::max_staleness_ms},
  }};
  for (const auto& [known, field] : numbers) {
    if (known == tlv) fields.*field = tlv == Tlv::kExpiresAt ? 4'000'000'000'000 : 1000;
  }
  const std::array<std::pair<Tlv, std::optional<std::uint32_t> Fields::*>, 4> small{{
      {Tlv::kLimit, &Fields::limit},
      {Tlv::kRetryAfter, &Fields::retry_after_ms},
      {Tlv::kNamespace, &Fields::ns},
      {Tlv::kCached, &Fields::cached},
  }};
  for (const auto& [known, field] : small) {
    if (known == tlv) fields.*field = 1;
  }
  const std::array<std::pair<Tlv, std::optional<std::string_view> Fields::*>, 9> texts{{
      {Tlv::kMetadata, &Fields::metadata},
      {Tlv::kCursor, &Fields::cursor},
      {Tlv::kMessage, &Fields::message},
      {Tlv::kNamespaceId, &Fields::namespace_id},
      {Tlv::kTitle, &Fields::title},
      {Tlv::kCredential, &Fields::credential},
      {Tlv::kScope, &Fields::scope},
      {Tlv::kSourcePosition, &Fields::source_position},
      {Tlv::kMinPosition, &Fields::min_position},
  }};
  for (const auto& [known, field] : texts) {
    if (known == tlv) fields.*field = tlv == Tlv::kNamespaceId ? kId : "{}";
  }
  if (tlv == Tlv::kDelta) fields.delta = 1;
  if (tlv == Tlv::kInitial) fields.initial = 1;
  KV_CHECK(wire::TlvSet::of(fields).has(tlv));
}

std::string row_of(const OperationShape& shape) {
  constexpr std::array kUses{"request", "item", "request, item"};
  constexpr std::array kNamespaces{"", "yes"};
  constexpr std::array kKeys{"", "key", "prefix"};
  constexpr std::array kValues{"", "bytes", "items"};
  const char opcode = static_cast<char>(shape.opcode);
  std::string number = to_hex({&opcode, 1});
  for (char& digit : number) digit = static_cast<char>(digit >= 'a' ? digit - 'a' + 'A' : digit);
  std::string row = "| " + number;
  for (const std::string& cell : {std::string(shape.name),
                                  std::string(kUses[static_cast<std::size_t>(shape.use)]),
                                  std::string(kNamespaces[static_cast<std::size_t>(shape.ns)]),
                                  std::string(kKeys[static_cast<std::size_t>(shape.key)]),
                                  std::string(kValues[static_cast<std::size_t>(shape.value)]),
                                  tlv_cell(shape),
                                  flag_cell(shape),
                                  answer_cell(shape)}) {
    row += " | " + cell;
  }
  return row + " |";
}

}  // namespace edged::test
