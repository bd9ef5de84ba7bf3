// SPDX-License-Identifier: Apache-2.0
// See plain_reads.h.
#include "kvstore/server/plain_reads.h"

#include <array>
#include <cstddef>
#include <span>

#include "kvstore/server/reads.h"
#include "proto/wire/limits.h"
#include "proto/wire/operation_table.h"

namespace edged::server {
namespace {

using storage::Entry;
using storage::ReadTier;
using storage::Store;

// Of the items of an MGET: takes about 100 us.
constexpr std::size_t kPlainItemsBytesMax = 8 * 1024;
// Keys are looked up in groups, so that their waits for memory overlap.
constexpr std::size_t kGroup = 32;

bool is_plain(const wire::Request& request) {
  constexpr std::uint16_t kPlainFlags = wire::kFlagCrc | wire::kFlagNoCache | wire::kFlagStaleOk;
  return (request.flags & ~kPlainFlags) == 0 && wire::TlvSet::of(request.fields).empty() &&
         request.value.size() <= kPlainItemsBytesMax;
}

// The next keys, at most a group of them. False: something is not plain.
bool next_keys(wire::PlainItemReader& reader,
               storage::NamespaceNumber ns,
               std::array<storage::KeyName, kGroup>& keys,
               std::size_t& count) {
  for (count = 0; count < kGroup && !reader.at_end(); ++count) {
    wire::PlainItem item;
    if (!reader.next(item) || item.opcode != wire::Opcode::kGet || item.status != Code::kOk ||
        !item.value.empty()) {
      return false;
    }
    keys[count] = {ns, item.key};
  }
  return true;
}

// False: this needs more than memory.
bool append_values(const Store& store,
                   std::span<const storage::KeyName> keys,
                   Entry& scratch,
                   operations::KeyCounts& counts,
                   std::string& out) {
  store.prefetch(keys);
  for (const storage::KeyName& key : keys) {
    const Status read = store.get_into(key.ns, key.key, ReadTier::kMemory, scratch);
    if (!read.ok() && read.code() != Code::kNotFound) return false;
    ++(read.ok() ? counts.hits : counts.misses);
    const std::string_view value = read.ok() ? std::string_view(scratch.value) : std::string_view();
    wire::append_plain_item({wire::Opcode::kGet, read.code(), {}, value}, out);
  }
  return true;
}

}  // namespace

bool is_plain_get(const wire::Frame& frame) {
  constexpr std::uint16_t kPlainFlags = wire::kFlagCrc | wire::kFlagMetadata | wire::kFlagInfo |
                                        wire::kFlagNoCache | wire::kFlagStaleOk;
  const wire::Header& header = frame.header;
  return header.opcode == static_cast<std::uint8_t>(wire::Opcode::kGet) &&
         (header.flags & ~kPlainFlags) == 0 && header.ext_bytes == 0 && header.key_bytes > 0 &&
         header.body_bytes == header.key_bytes && header.key_bytes <= wire::kKeyBytesMax;
}

std::optional<Code> answer_plain_get(const Store& store,
                                     const wire::Frame& frame,
                                     std::uint32_t body_bytes_max,
                                     Entry& scratch,
                                     std::string& out) {
  const wire::Header& header = frame.header;
  if ((header.flags & wire::kFlagInfo) != 0 && store.mirror_of(header.ns, frame.key())) {
    return std::nullopt;  // the answer says more
  }
  const Status read = store.get_into(header.ns, frame.key(), ReadTier::kMemory, scratch);
  if (read.code() == Code::kNotFound) {
    wire::append_plain_response(header, Code::kNotFound, {}, out);
    return Code::kNotFound;
  }
  if (!read.ok() || scratch.value.size() + wire::kExtBytesMax > body_bytes_max) {
    return std::nullopt;
  }
  if ((header.flags & (wire::kFlagInfo | wire::kFlagMetadata)) == 0) {
    wire::append_plain_response(header, Code::kOk, scratch.value, out);
    return Code::kOk;
  }
  const ReplyTo to{.opcode = wire::Opcode::kGet,
                   .flags = static_cast<std::uint16_t>(header.flags & wire::kFlagCrc),
                   .id = header.id,
                   .body_bytes_max = body_bytes_max,
                   .quiet = false};
  return append_reply(to, entry_fields(scratch, header.flags), scratch.value, out);
}

std::optional<Code> answer_plain_multi_get(const Store& store,
                                           const wire::Request& request,
                                           const ReplyTo& to,
                                           operations::KeyCounts& counts,
                                           std::string& out) {
  if (!is_plain(request) || request.value.empty()) return std::nullopt;
  const std::size_t start = out.size();
  operations::KeyCounts counted;
  Entry scratch;
  std::array<storage::KeyName, kGroup> keys;
  wire::PlainItemReader reader(request.value);
  wire::begin_response(to.opcode, to.flags, to.id, Code::kOk, out);
  while (!reader.at_end()) {
    std::size_t count = 0;
    if (!next_keys(reader, request.ns, keys, count) ||
        !append_values(store, {keys.data(), count}, scratch, counted, out) ||
        out.size() - start > to.body_bytes_max) {
      out.resize(start);
      return std::nullopt;
    }
  }
  wire::finish_frame(start, 0, out);
  counts.hits += counted.hits;
  counts.misses += counted.misses;
  return Code::kOk;
}

}  // namespace edged::server
