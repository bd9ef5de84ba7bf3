// SPDX-License-Identifier: Apache-2.0
// See fragments.h.
#include "kvstore/server/fragments.h"

#include <utility>

#include "kvstore/server/operations.h"
#include "proto/wire/limits.h"
#include "proto/wire/operation_table.h"

namespace edged::server {
namespace {

using wire::Opcode;

// Refused requests of a connection whose remaining fragments are still to come.
constexpr std::size_t kRefusedMax = 1024;

bool is_several(Opcode opcode) {
  return opcode == Opcode::kBatch || opcode == Opcode::kMultiPut;
}

}  // namespace

bool Fragments::concerns(const wire::Request& request) const {
  return (request.flags & wire::kFlagMore) != 0 || (!open_.empty() && open_.contains(request.id));
}

bool Fragments::refuse(std::uint32_t id) {
  open_.erase(id);
  refused_.insert(id);
  return refused_.size() <= kRefusedMax;
}

bool Fragments::drops(std::uint32_t id, std::uint16_t flags) {
  if (refused_.empty() || !refused_.contains(id)) {
    return false;
  }
  if ((flags & wire::kFlagMore) == 0) {
    refused_.erase(id);
  }
  return true;
}

Result<Fragments::Assembly*> Fragments::begin(const wire::Request& request) {
  if (!is_put(request.opcode) && !is_several(request.opcode)) {
    return Status(Code::kUnsupported,
                  "could not take fragment: this operation may not be sent in fragments");
  }
  if (open_.size() >= wire::kFragmentedMax) {
    return Status(Code::kBusy,
                  "could not take fragment: 64 requests of this connection are unfinished");
  }
  wire::Request head = request;
  head.value = {};
  head.flags = static_cast<std::uint16_t>(request.flags & ~wire::kFlagMore);
  Assembly& begun = open_.emplace(request.id, Assembly(head)).first->second;
  if (request.fields.value_bytes.value_or(0) > storage::kValueBytesMax) {
    begun.refused = Status(Code::kTooLarge, "could not put: the value is above 25 MiB");
  } else if (!is_several(request.opcode)) {
    begun.upload = std::make_shared<operations::StagedUpload>(
        store_, pool_, request.ns, progress_.lock().get());
  }
  return &begun;
}

void Fragments::add(Assembly& assembly, std::string_view value) {
  if (!assembly.refused.ok()) {
    return;
  }
  if (assembly.upload) {
    // The connection waits for room.
    assembly.upload->append(std::string(value), [progress = progress_](const Status&) {
      if (const std::shared_ptr<Completion> connection = progress.lock()) connection->wake();
    });
    return;
  }
  if (assembly.value.size() + value.size() > wire::kFragmentedItemsBytesMax) {
    assembly.refused =
        Status(Code::kTooLarge, "could not take items: together they are above 9 MiB");
  } else if (memory_bytes() + value.size() > wire::kInFlightBytesMax) {
    assembly.refused = Status(
        Code::kBusy,
        "could not take items: the unfinished requests of this connection together exceed 32 MiB");
  } else {
    assembly.value.append(value);
    return;
  }
  std::string().swap(assembly.value);
}

Result<std::unique_ptr<Fragments::Whole>> Fragments::take(const wire::Request& request) {
  const auto found = open_.find(request.id);
  const bool continues = found != open_.end();
  Result<Assembly*> assembly = continues ? Result<Assembly*>(&found->second) : begin(request);
  if (!assembly) {
    return assembly.error();
  }
  const Opcode opcode = (*assembly)->first.request().opcode;
  const bool names_more =
      !request.key.empty() || !(wire::TlvSet::of(request.fields) == wire::TlvSet());
  if (continues && (request.opcode != opcode || names_more)) {
    (*assembly)->refused =
        Status(Code::kInvalidArgument,
               "could not take fragment: only the first one may have a key and TLVs, and all must "
               "have the same opcode");
  }
  add(**assembly, request.value);
  if ((request.flags & wire::kFlagMore) != 0) {
    return std::unique_ptr<Whole>();
  }
  auto node = open_.extract(request.id);
  Assembly& whole = node.mapped();
  if (!whole.refused.ok()) {
    return whole.refused;
  }
  if (whole.upload) {
    return std::make_unique<Whole>(Whole{std::move(whole.first), std::move(whole.upload)});
  }
  wire::Request joined = whole.first.request();
  joined.value = whole.value;
  return std::make_unique<Whole>(Whole{OwnedRequest(joined), nullptr});
}

std::size_t Fragments::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, assembly] : open_) {
    bytes += assembly.value.size();
  }
  return bytes;
}

std::size_t Fragments::pending_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, assembly] : open_) {
    bytes += assembly.upload ? assembly.upload->pending_bytes() : 0;
  }
  return bytes;
}

}  // namespace edged::server
