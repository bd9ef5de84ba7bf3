// SPDX-License-Identifier: Apache-2.0
// See watches.h.
#include "kvstore/server/watches.h"

#include <utility>

#include "proto/wire/limits.h"

namespace edged::server {
namespace {

// With the longest keys a push of so many fits the smallest frame limit a peer may have.
constexpr std::size_t kChangesPerPush = 100;

wire::Opcode opcode_of(storage::ChangeKind kind) {
  switch (kind) {
    case storage::ChangeKind::kPut:
      return wire::Opcode::kPut;
    case storage::ChangeKind::kDelete:
      return wire::Opcode::kDelete;
    case storage::ChangeKind::kClear:
      break;
  }
  return wire::Opcode::kNamespaceClear;
}

std::string encode(const std::vector<storage::Change>& changes) {
  std::string items;
  for (const storage::Change& change : changes) {
    wire::Item item;
    item.opcode = opcode_of(change.kind);
    item.key = change.key;
    item.fields.version = change.version;
    if (change.expires_at) {
      item.fields.expires_at_ms = static_cast<std::uint64_t>(to_unix_ms(*change.expires_at));
    }
    wire::append_item(item, items);
  }
  return items;
}

}  // namespace

Code Watches::start(const wire::Request& request, const ReplyTo& to, std::string& out) {
  if (watches_.contains(request.id)) {
    return append_failure(
        to,
        Status(Code::kInvalidArgument, "could not watch: a watch with this id is running"),
        out);
  }
  if (watches_.size() >= wire::kWatchesMax) {
    return append_failure(
        to,
        Status(Code::kBusy,
               "could not watch: this connection has 1000 watches, and more are not allowed"),
        out);
  }
  storage::WatchRequest wanted;
  wanted.ns = request.ns;
  wanted.prefix = request.key;
  wanted.after = request.fields.version;
  auto ready = std::make_shared<std::atomic<bool>>(true);
  Result<std::unique_ptr<storage::Watch>> watch =
      store_.watch(std::move(wanted), [ready, progress = progress_] {
        ready->store(true);
        if (const std::shared_ptr<Completion> woken = progress.lock()) {
          woken->wake();
        }
      });
  if (!watch) {
    return append_failure(to, watch.error(), out);
  }
  const Result<storage::Watch::Changes> position = (*watch)->next(0);
  if (!position) {
    return append_failure(to, position.error(), out);
  }
  wire::Fields fields;
  fields.version = position->seen;
  watches_.emplace(
      request.id,
      Entry{*std::move(watch), std::move(ready), to.flags, request.ns, std::string(request.key)});
  return append_reply(to, fields, {}, out);
}

void Watches::end(std::uint32_t id, const Entry& entry, const Status& why, std::string& out) {
  wire::Response push;
  push.opcode = wire::Opcode::kWatch;
  push.flags = entry.flags;
  push.id = id;
  push.status = why.code();
  push.fields.message = cut_message(why.message());
  wire::append_push(push, out);
}

void Watches::judge(const std::function<Status(const wire::Request&)>& allowed, std::string& out) {
  for (auto entry = watches_.begin(); entry != watches_.end();) {
    wire::Request request;
    request.opcode = wire::Opcode::kWatch;
    request.ns = entry->second.ns;
    request.key = entry->second.prefix;
    const Status status = allowed(request);
    if (!status.ok()) {
      end(entry->first, entry->second, status, out);
    }
    entry = status.ok() ? std::next(entry) : watches_.erase(entry);
  }
}

bool Watches::pump_one(std::uint32_t id,
                       Entry& entry,
                       std::size_t out_bytes_max,
                       std::string& out) {
  while (out.size() < out_bytes_max && entry.ready->exchange(false)) {
    Result<storage::Watch::Changes> next = entry.watch->next(kChangesPerPush);
    if (!next) {
      end(id, entry, next.error(), out);
      return false;
    }
    if (next->more) {
      entry.ready->store(true);
    }
    if (!next->changes.empty()) {
      const std::string items = encode(next->changes);
      wire::Response push;
      push.opcode = wire::Opcode::kWatch;
      push.flags = entry.flags;
      push.id = id;
      push.fields.version = next->seen;
      push.value = items;
      wire::append_push(push, out);
    }
  }
  return true;
}

void Watches::pump(std::size_t out_bytes_max, std::string& out) {
  for (auto entry = watches_.begin(); entry != watches_.end();) {
    const bool goes_on = pump_one(entry->first, entry->second, out_bytes_max, out);
    entry = goes_on ? std::next(entry) : watches_.erase(entry);
  }
}

}  // namespace edged::server
