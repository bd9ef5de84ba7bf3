// SPDX-License-Identifier: Apache-2.0
// Writes as the mirror of each namespace does: docs/storage-format.md, section 9.
#include "kvstore/storage/checkpoint/unload_mirrors.h"

#include <string>
#include <utility>

#include "kvstore/storage/format/bytes.h"
#include "kvstore/storage/tables/mirror_rules.h"

namespace edged::storage {
namespace {

std::string encode_unloaded(const std::vector<MirrorRule>& rules) {
  std::string value(1, '\1');
  for (const MirrorRule& rule : rules) {
    if (rule.prefix.empty()) continue;  // what stands for damaged rules is not stored
    value.push_back('\0');
    append_le(value, static_cast<std::uint16_t>(rule.prefix.size()));
    append_le(value, static_cast<std::uint64_t>(rule.ttl.count()));
    value += rule.prefix;
  }
  return value;
}

Write unloading(const MirrorStatus& mirror) {
  Write write;
  write.atomic = true;
  write.durability = Durability::kSync;
  write.mirror.emplace();
  write.mirror->ns = mirror.ns;
  const std::string rules = encode_unloaded(mirror.rules);
  if (rules.size() > 1) {
    Put put;
    put.ns = mirror.ns;
    put.key = kMirrorRulesKey;
    put.value = rules;
    write.operations.emplace_back(std::move(put));
  }
  Delete position;
  position.ns = mirror.ns;
  position.key = kMirrorPositionKey;
  write.operations.emplace_back(std::move(position));
  return write;
}

}  // namespace

Result<std::size_t> unload_mirrors(Store& store) {
  const auto mirrors = store.mirrors();
  for (const MirrorStatus& mirror : mirrors) {
    const auto written = write_and_wait(store, unloading(mirror));
    if (!written) return written.error();
    for (const WriteOutcome& outcome : *written) {
      if (outcome.code != Code::kOk && outcome.code != Code::kNotFound) {
        return Status(outcome.code, outcome.message);
      }
    }
  }
  return mirrors.size();
}

}  // namespace edged::storage
