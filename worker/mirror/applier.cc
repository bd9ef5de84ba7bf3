// SPDX-License-Identifier: Apache-2.0
// See applier.h.
#include "worker/mirror/applier.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <iterator>
#include <set>
#include <utility>
#include <variant>

#include "proto/net/spawn.h"
#include "worker/mirror/batch_plan.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

// Of a change in the node beyond what it holds itself: the frames of its items.
constexpr std::size_t kChangeOverheadBytes = 128;

// What the node takes in one batch, less what goes with every one.
constexpr std::size_t kItemsMax = 9'900;
constexpr std::size_t kItemBytesMax = 8 * 1024 * 1024 - 64 * 1024;

std::size_t bytes_of(const net::BatchItem& item) {
  if (const auto* put = std::get_if<net::PutItem>(&item))
    return put->key.size() + put->value.size();
  const auto* removal = std::get_if<net::RemoveItem>(&item);
  return removal != nullptr ? removal->key.size() : 0;
}

// How many of the items behind `first` one batch takes, at least one.
std::size_t count_that_fit(const std::vector<net::BatchItem>& items, std::size_t first) {
  std::size_t bytes = 0, end = first;
  while (end < items.size() && end - first < kItemsMax) {
    bytes += bytes_of(items[end]);
    if (bytes > kItemBytesMax && end > first) break;
    ++end;
  }
  return end - first;
}

}  // namespace

asio::awaitable<Result<std::uint64_t>> Applier::take_over(std::string who) {
  changes_.clear();
  bytes_ = 0;
  std::vector<net::BatchItem> items;
  items.emplace_back(put_item(owner_key(), std::move(who)));
  const net::MirrorMark mark;
  Result<net::BatchResult> done = co_await client_.mirror_batch(ns_, std::move(items), mark);
  if (!done) co_return done.error().with_context("could not take over the mirror in the node");
  if (!done->written || done->items.empty()) {
    co_return Status(Code::kInternal,
                     "could not take over the mirror in the node: the node refused the write");
  }
  owner_version_ = done->items.front().version;
  co_return owner_version_;
}

asio::awaitable<Result<StoredState>> Applier::read_state() {
  std::vector<std::string> keys{
      source_key(), rules_key(), part_key(), beat_key(), fetched_key(), owner_key()};
  const auto found = co_await client_.mirror_get(ns_, std::move(keys));
  if (!found)
    co_return found.error().with_context("could not read the mirror's state from the node");
  StoredState state;
  const auto value = [&](std::size_t i) -> const std::string* {
    return (*found)[i] ? &(*found)[i]->value : nullptr;
  };
  // If the state is damaged, everything is loaded anew.
  if (value(0) != nullptr) {
    if (auto source = decode_source(*value(0))) state.source = *std::move(source);
  }
  if (value(1) != nullptr) {
    if (auto rules = decode_rules(*value(1))) state.rules = *std::move(rules);
  }
  if (value(2) != nullptr) {
    part_stored_ = true;
    const auto part = decode_part(*value(2));
    if (!part) state.source.reset();
    if (part) state.part = *part;
  }
  if (const std::string* beat = value(3)) {
    std::from_chars(beat->data(), beat->data() + beat->size(), state.beat);
  }
  if (value(4) != nullptr) {
    const auto until = decode_fetched(*value(4));
    if (!until) state.source.reset();
    if (until) fetched_until_ = *until;
    for (const auto& [rule, lsn] : fetched_until_) fetched_.set_unknown_until(rule, lsn);
  }
  std::vector<std::string> position{position_key()};
  const auto marked = co_await client_.mirror_get(ns_, std::move(position));
  if (!marked)
    co_return marked.error().with_context("could not read the mirror's position from the node");
  if (marked->front()) {
    const auto mark = decode_mark(marked->front()->value);
    if (mark && mark->position != 0) state.position = mark->position;
    if (mark) state.fresh_as_of = mark->fresh_as_of;
  }
  co_return state;
}

bool Applier::has_room_for(const RowChange& change) const {
  return changes_.empty() || (changes_.size() < changes_max_ &&
                              bytes_ + change.bytes() + kChangeOverheadBytes <= kBatchBytesMax);
}

Status entry_too_large(std::size_t bytes) {
  return {Code::kTooLarge,
          "the entry of a row has " + std::to_string(bytes) + " bytes, but at most " +
              std::to_string(Applier::kBatchBytesMax) + " are allowed"};
}

Status Applier::add(RowChange change) {
  const std::size_t bytes = change.bytes() + kChangeOverheadBytes;
  if (bytes > kBatchBytesMax) return entry_too_large(bytes);
  bytes_ += bytes;
  changes_.push_back(std::move(change));
  return {};
}

asio::awaitable<Status> Applier::send(std::vector<net::BatchItem> items, std::optional<Mark> mark) {
  net::CheckItem fence;
  fence.key = owner_key();
  fence.wants = net::CheckItem::Wants::kVersion;
  fence.version = owner_version_;
  items.insert(items.begin(), fence);
  net::MirrorMark bound;
  if (mark) {
    if (mark->position != 0) bound.position = encode_position(mark->position);
    bound.fresh_as_of = mark->fresh_as_of;
  }
  Result<net::BatchResult> done = co_await client_.mirror_batch(ns_, std::move(items), bound);
  if (!done) co_return done.error().with_context("could not write mirrored rows");
  if (done->written) co_return Status();
  if (done->items.empty()) {
    co_return Status(Code::kConflict, "could not write mirrored rows: the node refused the batch");
  }
  if (!done->items.front().status.ok() && done->items.front().status.code() != Code::kConflict) {
    co_return Status(Code::kConflict,
                     "another worker has taken over the mirror, or the namespace was cleared");
  }
  for (const net::BatchOutcome& outcome : done->items) {
    if (outcome.status.ok() || outcome.status.code() == Code::kConflict) continue;
    co_return outcome.status.with_context("could not write mirrored rows");
  }
  co_return Status(Code::kInternal,
                   "could not write mirrored rows: the node refused the batch without a reason");
}

// Sends what is beyond one batch, or all; the rest stays. Keys come first, then the index, by which
// what is done again after a crash finds what was there before.
asio::awaitable<Status> Applier::send_surplus(std::vector<net::BatchItem>* items, bool all) {
  const std::optional<Mark> unmarked;
  std::size_t first = 0;
  for (std::size_t count = count_that_fit(*items, 0);
       count > 0 && (all || first + count < items->size());
       count = count_that_fit(*items, first)) {
    const auto begin = items->begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<net::BatchItem> some(
        std::make_move_iterator(begin),
        std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
    if (!surplus_announced_) {
      surplus_announced_ = true;
      // If this flush is repeated after a crash, the node has values of its later changes.
      for (const RowChange& change : changes_) {
        if (change.commit_lsn != 0) note_fetched(change.rule, change.commit_lsn);
      }
    }
    if (!fetched_stored_)
      some.emplace_back(put_item(fetched_key(), encode_fetched(fetched_until_)));
    fetched_stored_ = true;
    const Status sent = co_await send(std::move(some), unmarked);
    if (!sent.ok()) co_return sent;
    first += count;
  }
  items->erase(items->begin(), items->begin() + static_cast<std::ptrdiff_t>(first));
  co_return Status();
}

asio::awaitable<Status> Applier::flush(Seal seal) {
  const Status begun = co_await begin_flush(std::move(seal));
  if (!begun.ok()) co_return begun;
  const Status settled = co_await settle();
  co_return settled;
}

asio::awaitable<Status> Applier::settle() {
  co_await settled_.wait([this] { return !under_way_; });
  co_return last_;
}

asio::awaitable<Status> Applier::remove_all(std::string prefix, std::uint64_t version_bound) {
  if (version_bound == kAnyVersion) fetched_.forget(prefix);
  net::KvListRequest request;
  request.prefix = prefix;
  do {
    const auto page = co_await client_.mirror_list(ns_, request);
    if (!page) co_return page.error().with_context("could not list mirrored rows");
    std::vector<net::BatchItem> items;
    for (const net::KvListItem& item : page->items) {
      if (is_reserved(item.key) && !is_reserved(prefix)) continue;
      if (item.entry.version < version_bound) items.emplace_back(remove_item(item.key));
    }
    if (!items.empty()) {
      const std::optional<Mark> unmarked;
      const Status sent = co_await send(std::move(items), unmarked);
      if (!sent.ok()) co_return sent;
    }
    request.cursor = page->cursor;
  } while (!request.cursor.empty());
  co_return Status();
}

asio::awaitable<Result<bool>> Applier::release(std::string who) {
  Result<StoredState> state = co_await read_state();
  if (!state) co_return state.error();
  if (!state->source && state->rules.empty()) co_return false;
  Result<std::uint64_t> version = co_await take_over(std::move(who));
  if (!version) co_return version.error();
  // The rules are marked as not loaded first: readers must not take a part for the whole.
  std::vector<std::string> prefixes;
  for (OwnedPrefix& rule : state->rules) {
    rule.loaded = false;
    prefixes.push_back(rule.prefix);
  }
  if (state->source) {
    const auto& sweeps = state->source->sweeps;
    prefixes.insert(prefixes.end(), sweeps.begin(), sweeps.end());
  }
  prefixes.push_back(index_root());
  const std::optional<Mark> unmarked;
  std::vector<net::BatchItem> closing;
  closing.emplace_back(put_item(rules_key(), encode_rules(state->rules)));
  Status done = co_await send(std::move(closing), unmarked);
  for (std::size_t i = 0; done.ok() && i < prefixes.size(); ++i) {
    done = co_await remove_all(prefixes[i], kAnyVersion);
  }
  if (!done.ok()) co_return done;
  std::vector<net::BatchItem> rest;
  for (const std::string& key : {rules_key(),
                                 source_key(),
                                 position_key(),
                                 part_key(),
                                 beat_key(),
                                 fetched_key(),
                                 owner_key()}) {
    rest.emplace_back(remove_item(key));
  }
  done = co_await send(std::move(rest), unmarked);
  if (!done.ok()) co_return done;
  co_return true;
}

net::BatchItem Applier::forget_fetched() {
  fetched_ = {};
  fetched_until_.clear();
  fetched_stored_ = true;
  return remove_item(fetched_key());
}

}  // namespace edged::mirror
