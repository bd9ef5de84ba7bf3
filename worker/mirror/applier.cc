// SPDX-License-Identifier: Apache-2.0
// See applier.h.
#include "worker/mirror/applier.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "worker/mirror/batch_plan.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

// Of a change in the node beyond what it holds itself: the frames of its items.
constexpr std::size_t kChangeOverheadBytes = 128;

net::PutItem put(std::string key, std::string value) {
  net::PutItem item;
  item.key = std::move(key);
  item.value = std::move(value);
  return item;
}

net::RemoveItem removal(std::string key) {
  net::RemoveItem item;
  item.key = std::move(key);
  return item;
}

}  // namespace

asio::awaitable<Result<std::uint64_t>> Applier::take_over(std::string who) {
  changes_.clear();
  bytes_ = 0;
  std::vector<net::BatchItem> items;
  items.emplace_back(put(owner_key(), std::move(who)));
  const net::MirrorMark mark;
  Result<net::BatchResult> done = co_await client_.mirror_batch(ns_, std::move(items), mark);
  if (!done) co_return done.error().with_context("could not take the mirror over");
  if (!done->written || done->items.empty()) {
    co_return Status(Code::kInternal, "could not take the mirror over: the node wrote nothing");
  }
  owner_version_ = done->items.front().version;
  co_return owner_version_;
}

asio::awaitable<Result<StoredState>> Applier::read_state() {
  std::vector<std::string> keys{source_key(), rules_key(), part_key(), beat_key(), owner_key()};
  const auto found = co_await client_.mirror_get(ns_, std::move(keys));
  if (!found) co_return found.error().with_context("could not read the mirror's state");
  StoredState state;
  const auto value = [&](std::size_t i) -> const std::string* {
    return (*found)[i] ? &(*found)[i]->value : nullptr;
  };
  // Damaged state is none: everything is loaded anew.
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
  std::vector<std::string> position{position_key()};
  const auto marked = co_await client_.mirror_get(ns_, std::move(position));
  if (!marked) co_return marked.error().with_context("could not read the mirror's position");
  if (marked->front()) {
    const auto mark = decode_mark(marked->front()->value);
    if (mark && mark->position != 0) state.position = mark->position;
    if (mark) state.fresh_as_of = mark->fresh_as_of;
  }
  co_return state;
}

bool Applier::has_room_for(const RowChange& change) const {
  return changes_.empty() || (changes_.size() < kBatchChangesMax &&
                              bytes_ + change.bytes() + kChangeOverheadBytes <= kBatchBytesMax);
}

Status Applier::add(RowChange change) {
  const std::size_t bytes = change.bytes() + kChangeOverheadBytes;
  if (bytes > kBatchBytesMax) {
    return {Code::kTooLarge,
            "a row makes an entry of " + std::to_string(bytes) + " bytes, more than the " +
                std::to_string(kBatchBytesMax) + " that fit a batch"};
  }
  bytes_ += bytes;
  changes_.push_back(std::move(change));
  return {};
}

// The entries' last states, with what the node must be asked for.
asio::awaitable<Status> Applier::plan_changes(std::vector<net::BatchItem>* items) {
  BatchPlan plan;
  std::set<std::string> wanted;
  for (const RowChange& change : changes_) {
    if (!change.indexed) continue;
    if (!change.inserted) wanted.insert(index_key(change.rule, change.identity_before));
  }
  const std::vector<std::string> asked(wanted.begin(), wanted.end());
  if (!asked.empty()) {
    const auto found = co_await client_.mirror_get(ns_, asked);
    if (!found) co_return found.error().with_context("could not read the mirror's index");
    for (std::size_t i = 0; i < asked.size(); ++i) {
      std::optional<std::string> key;
      if ((*found)[i]) key = (*found)[i]->value;
      plan.know_index(asked[i], std::move(key));
    }
  }
  for (RowChange& change : changes_) {
    if (!change.partial) {
      plan.add(change, std::move(change.entry));
      continue;
    }
    const std::optional<std::string> before = plan.key_before(change);
    std::optional<std::string> stored;
    if (before) {
      const auto planned = plan.value_of(*before);
      if (planned && *planned) stored = std::string(**planned);
      if (!planned) {
        std::vector<std::string> keys{*before};
        const auto found = co_await client_.mirror_get(ns_, std::move(keys));
        if (!found) co_return found.error().with_context("could not read a mirrored row");
        if (found->front()) stored = found->front()->value;
      }
    }
    std::optional<std::string_view> view;
    if (stored) view = *stored;
    Result<std::optional<RowMapper::Entry>> entry = change.partial->complete(view);
    if (!entry && entry.code() == Code::kNotFound) {
      co_return Status(Code::kVersionMismatch, entry.error().message());
    }
    if (!entry) co_return entry.error();
    plan.add(change, *std::move(entry));
  }
  *items = plan.take_items();
  co_return Status();
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
    co_return Status(Code::kConflict, "the node refused mirrored rows");  // too many to say why
  }
  if (!done->items.front().status.ok() && done->items.front().status.code() != Code::kConflict) {
    co_return Status(Code::kConflict,
                     "another worker has taken the mirror over, or the namespace was cleared");
  }
  for (const net::BatchOutcome& outcome : done->items) {
    if (outcome.status.ok() || outcome.status.code() == Code::kConflict) continue;
    co_return outcome.status.with_context("could not write mirrored rows");
  }
  co_return Status(Code::kInternal, "could not write mirrored rows: the node wrote nothing");
}

asio::awaitable<Status> Applier::flush(Seal seal) {
  std::vector<net::BatchItem> items;
  const Status planned = co_await plan_changes(&items);
  if (!planned.ok()) co_return planned;
  changes_.clear();
  bytes_ = 0;
  std::move(seal.more.begin(), seal.more.end(), std::back_inserter(items));
  if (seal.part) {
    items.emplace_back(put(part_key(), encode_part(*seal.part)));
  } else if (part_stored_) {
    items.emplace_back(removal(part_key()));
  }
  if (seal.beat) {
    net::PutItem beat = put(beat_key(), std::to_string(*seal.beat));
    beat.sync = seal.sync;
    items.emplace_back(std::move(beat));
  }
  const Status sent = co_await send(std::move(items), seal.mark);
  if (sent.ok()) part_stored_ = seal.part.has_value();
  co_return sent;
}

asio::awaitable<Status> Applier::remove_all(std::string prefix, std::uint64_t version_bound) {
  net::KvListRequest request;
  request.prefix = prefix;
  do {
    const auto page = co_await client_.mirror_list(ns_, request);
    if (!page) co_return page.error().with_context("could not list mirrored rows");
    std::vector<net::BatchItem> items;
    for (const net::KvListItem& item : page->items) {
      if (is_reserved(item.key) && !is_reserved(prefix)) continue;
      if (item.entry.version < version_bound) items.emplace_back(removal(item.key));
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
  // Closed first, so that nobody meets a half that looks whole.
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
  closing.emplace_back(put(rules_key(), encode_rules(state->rules)));
  Status done = co_await send(std::move(closing), unmarked);
  for (std::size_t i = 0; done.ok() && i < prefixes.size(); ++i) {
    done = co_await remove_all(prefixes[i], kAnyVersion);
  }
  if (!done.ok()) co_return done;
  std::vector<net::BatchItem> rest;
  for (const std::string& key :
       {rules_key(), source_key(), position_key(), part_key(), beat_key(), owner_key()}) {
    rest.emplace_back(removal(key));
  }
  done = co_await send(std::move(rest), unmarked);
  if (!done.ok()) co_return done;
  co_return true;
}

}  // namespace edged::mirror
