// SPDX-License-Identifier: Apache-2.0
// See mirror_terms.h.
#include "kvstore/server/mirror_terms.h"

#include <string>
#include <utility>

#include "proto/wire/limits.h"

namespace edged::server {
namespace {

using wire::Opcode;

Status invalid(const char* why) {
  return {Code::kInvalidArgument, why};
}

Status stale(std::string why) {
  return {Code::kStale, "stale: " + std::move(why)};
}

// A request that is the mirror's.
Status check_marked(const wire::Request& request) {
  const wire::Fields& fields = request.fields;
  if (fields.source_position->size() > wire::kPositionBytesMax) {
    return invalid("could not use the mirror's position: it is longer than 64 bytes");
  }
  if (fields.max_staleness_ms || fields.min_position) {
    return invalid(
        "could not read: the TLVs max_staleness and min_position do not go with source_position, "
        "because a mirror reads its keys whatever their freshness");
  }
  if ((request.flags & wire::kFlagLease) != 0) {
    return invalid("could not lease: a mirror takes no leases");
  }
  return {};
}

}  // namespace

Status check_mirror_fields(const wire::Request& request) {
  const wire::Fields& fields = request.fields;
  if (fields.source_position) {
    return check_marked(request);
  }
  if (fields.fresh_as_of_ms) {
    return invalid("could not do BATCH: the TLV fresh_as_of (0F) needs source_position (0E)");
  }
  if (fields.min_position &&
      (fields.min_position->empty() || fields.min_position->size() > wire::kPositionBytesMax)) {
    return invalid("could not read: the TLV min_position (11) must have 1 to 64 bytes");
  }
  return {};
}

storage::Reader reader_of(const wire::Request& request) {
  return request.fields.source_position ? storage::Reader::kMirror : storage::Reader::kAnyone;
}

MirrorTerms::MirrorTerms(const storage::Store& store,
                         const wire::Request& request,
                         storage::NamespaceNumber ns,
                         std::string_view key)
    : store_(store), ns_(ns), key_(key), reader_(reader_of(request)) {
  const bool bounded = request.fields.max_staleness_ms || request.fields.min_position;
  if (bounded || (request.flags & wire::kFlagInfo) != 0) {
    mirror_ = store.mirror_of(ns, key);
  }
  if (bounded) {
    status_ = judge(request.fields);
  }
}

Status MirrorTerms::judge(const wire::Fields& asked) const {
  if (!mirror_) {
    const Code found = store_.get(ns_, key_, storage::ReadTier::kMemory, reader_).code();
    return found == Code::kNamespaceNotFound
               ? Status(found, "no such namespace")
               : stale("no mirror owns the key, its freshness is unknown");
  }
  if (!mirror_->loaded) {
    return stale("the key's mirror has not loaded it completely");
  }
  if (!mirror_->fresh_as_of) {
    return stale("the key's mirror has not reported how fresh its entries are");
  }
  if (asked.max_staleness_ms && mirror_->age.count() > 0 &&
      static_cast<std::uint64_t>(mirror_->age.count()) > *asked.max_staleness_ms) {
    return stale("the key's mirror is " + std::to_string(mirror_->age.count()) +
                 " ms behind, the request allows " + std::to_string(*asked.max_staleness_ms));
  }
  if (asked.min_position &&
      (mirror_->position.empty() || mirror_->position < *asked.min_position)) {
    return stale("the key's mirror has not reached the position that is asked for");
  }
  return {};
}

Status MirrorTerms::confirm() const {
  if (!mirror_ || reader_ == storage::Reader::kMirror) {
    return {};
  }
  const std::optional<storage::MirrorFreshness> now = store_.mirror_of(ns_, key_);
  if (now && now->state == mirror_->state) {
    return {};
  }
  return stale("the mirror's rules changed while the key was read");
}

Result<storage::Entry> MirrorTerms::get(storage::ReadTier tier) const {
  if (!status_.ok()) {
    return status_;
  }
  Result<storage::Entry> read = store_.get(ns_, key_, tier, reader_);
  if (read || read.code() == Code::kNotFound) {
    Status confirmed = confirm();
    if (!confirmed.ok()) {
      return confirmed;
    }
  }
  return read;
}

void MirrorTerms::add_to(wire::Fields& fields) const {
  if (!mirror_) {
    return;
  }
  fields.source_position = mirror_->position;
  if (mirror_->fresh_as_of) {
    fields.fresh_as_of_ms = static_cast<std::uint64_t>(to_unix_ms(*mirror_->fresh_as_of));
  }
}

wire::Fields MirrorTerms::failure_fields(Code code) {
  wire::Fields fields;
  if (code == Code::kStale && !mirror_) {
    mirror_ = store_.mirror_of(ns_, key_);
  }
  if (code == Code::kStale || code == Code::kNotFound) {
    add_to(fields);
  }
  return fields;
}

}  // namespace edged::server
