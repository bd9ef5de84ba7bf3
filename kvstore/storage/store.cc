// SPDX-License-Identifier: Apache-2.0
// The part of store.h that is the same for every store, and what a store without a capability
// answers.
#include "kvstore/storage/store.h"

#include <future>
#include <memory>
#include <mutex>
#include <utility>

namespace edged::storage {
namespace {

Status cannot(const char* what) {
  return Status(Code::kUnsupported, std::string("this store cannot ") + what);
}

}  // namespace

Status Store::get_into(
    NamespaceNumber ns, std::string_view key, ReadTier tier, Entry& entry, Reader reader) const {
  Result<Entry> found = get(ns, key, tier, reader);
  if (!found) return found.error();
  entry = *std::move(found);
  return Status();
}

void Store::prefetch(std::span<const KeyName> /*keys*/) const {}

bool Store::is_cached(NamespaceNumber /*ns*/, std::string_view /*key*/) const {
  return false;
}

std::vector<Result<Entry>> Store::get_many(NamespaceNumber ns,
                                           const std::vector<std::string_view>& keys,
                                           ReadTier tier,
                                           Reader reader) const {
  std::vector<Result<Entry>> entries;
  entries.reserve(keys.size());
  for (const std::string_view key : keys) entries.push_back(get(ns, key, tier, reader));
  return entries;
}

Result<LeasedEntry> Store::get_or_lease(NamespaceNumber /*ns*/,
                                        std::string_view /*key*/,
                                        std::chrono::milliseconds /*duration*/,
                                        ReadTier /*tier*/) {
  return cannot("lease");
}

Result<std::unique_ptr<ValueReader>> Store::open_value(NamespaceNumber /*ns*/,
                                                       std::string_view /*key*/,
                                                       Reader /*reader*/) const {
  return cannot("read a value in pieces");
}

void Store::commit(std::shared_ptr<WriteSet> writes) {
  struct Waiting {
    std::mutex mutex;
    std::size_t wal = 0, sync = 0;
  };
  const auto waiting = std::make_shared<Waiting>();
  std::size_t& (*const of)(Waiting&, Durability) = [](Waiting& counts,
                                                      Durability durability) -> std::size_t& {
    return durability == Durability::kWal ? counts.wal : counts.sync;
  };
  for (const WriteSet::Item& item : writes->items) ++of(*waiting, item.write.durability);
  for (std::size_t i = 0; i < writes->items.size(); ++i) {
    Write write = std::move(writes->items[i].write);
    const Durability durability = write.durability;
    submit(std::move(write),
           [writes, waiting, of, i, durability](Result<std::vector<WriteOutcome>> outcomes) {
             WriteSet::Item& item = writes->items[i];
             if (outcomes) {
               item.outcomes = *std::move(outcomes);
             } else {
               item.status = outcomes.error();
             }
             std::unique_lock lock(waiting->mutex);
             const bool last = --of(*waiting, durability) == 0;
             lock.unlock();
             if (last) writes->done(durability);
           });
  }
}

Result<std::unique_ptr<ValueUpload>> Store::begin_upload(NamespaceNumber /*ns*/) {
  return cannot("take a value in pieces");
}

Result<std::unique_ptr<Watch>> Store::watch(WatchRequest /*request*/,
                                            std::function<void()> /*wake*/) {
  return cannot("watch");
}

Status Store::rename_namespace(NamespaceNumber /*ns*/, std::string /*title*/) {
  return cannot("rename a namespace");
}

Status Store::clear_namespace(NamespaceNumber /*ns*/) {
  return cannot("clear a namespace");
}

Status Store::delete_namespace(NamespaceNumber /*ns*/) {
  return cannot("delete a namespace");
}

Result<NamespaceUsage> Store::usage(NamespaceNumber /*ns*/) const {
  return cannot("count");
}

std::optional<MirrorFreshness> Store::mirror_of(NamespaceNumber /*ns*/,
                                                std::string_view /*key*/) const {
  return std::nullopt;
}

std::vector<MirrorStatus> Store::mirrors() const {
  return {};
}

Status Store::confirm_clock() {
  return cannot("confirm its clock");
}

Result<WriteOutcome> write_and_wait(Store& store, Operation operation, Durability durability) {
  Write write;
  write.operations.push_back(std::move(operation));
  write.durability = durability;
  auto result = write_and_wait(store, std::move(write));
  if (!result) return result.error();
  return std::move(result->front());
}

Result<std::vector<WriteOutcome>> write_and_wait(Store& store, Write write) {
  // Shared, since the callback may still be inside set_value when get() returns.
  auto promise = std::make_shared<std::promise<Result<std::vector<WriteOutcome>>>>();
  auto future = promise->get_future();
  store.submit(std::move(write), [promise](Result<std::vector<WriteOutcome>> result) {
    promise->set_value(std::move(result));
  });
  return future.get();
}

}  // namespace edged::storage
