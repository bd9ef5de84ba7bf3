// SPDX-License-Identifier: Apache-2.0
// See applier.h.
#include "worker/mirror/applier.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>
#include <iterator>
#include <set>
#include <utility>
#include <variant>

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

// What the node's index says of the rows that are changed from `first` on.
asio::awaitable<Status> Applier::read_index(std::size_t first, BatchPlan* plan) {
  std::set<std::string> wanted;
  for (std::size_t i = first; i < changes_.size(); ++i) {
    const RowChange& change = changes_[i];
    if (!change.indexed || change.inserted) continue;
    wanted.insert(index_key(change.rule, change.identity_before));
  }
  if (wanted.empty()) co_return Status();
  const std::vector<std::string> keys(wanted.begin(), wanted.end());
  const auto found = co_await client_.mirror_get(ns_, keys);
  if (!found) co_return found.error().with_context("could not read the mirror's index");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::optional<std::string> key;
    if ((*found)[i]) key = (*found)[i]->value;
    plan->know_index(keys[i], std::move(key));
  }
  co_return Status();
}

// The entry of a row of which columns were not sent, with those of the stored value.
asio::awaitable<Result<std::optional<RowMapper::Entry>>> Applier::complete(const RowChange& change,
                                                                           const BatchPlan& plan) {
  const std::optional<std::string> before = plan.key_before(change);
  std::optional<std::string> stored;
  if (before) {
    const auto planned = plan.value_before(change);
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
  if (entry || entry.code() != Code::kNotFound) co_return entry;
  // The node forgets what has expired, and nobody needs it if it has expired still.
  Result<std::optional<RowMapper::Entry>> expired =
      change.partial->expired(to_unix_ms(SystemClock().wall_now()));
  if (expired && *expired) co_return expired;
  co_return Status(Code::kVersionMismatch, entry.error().message());
}

// The entries' last states after the changes from `first` to `*next`: all of them, unless completed
// rows become more than memory should hold.
asio::awaitable<Status> Applier::plan_changes(std::size_t first,
                                              std::vector<net::BatchItem>* items,
                                              std::size_t* next) {
  BatchPlan plan;
  const Status known = co_await read_index(first, &plan);
  if (!known.ok()) co_return known;
  std::size_t completed_bytes = 0;
  for (*next = first; *next < changes_.size() && completed_bytes < kBatchBytesMax; ++*next) {
    RowChange& change = changes_[*next];
    if (!change.partial) {
      plan.add(change, std::move(change.entry));
      continue;
    }
    Result<std::optional<RowMapper::Entry>> entry = co_await complete(change, plan);
    if (!entry) co_return entry.error();
    if (*entry) completed_bytes += (*entry)->value.size();
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
  while (under_way_) {
    settled_.expires_at(std::chrono::steady_clock::time_point::max());
    co_await settled_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return last_;
}

asio::awaitable<Status> Applier::begin_flush(Seal seal) {
  const Status settled = co_await settle();
  if (!settled.ok()) co_return settled;
  std::vector<net::BatchItem> items;
  std::size_t next = 0;
  do {
    Status done = co_await plan_changes(next, &items, &next);
    if (done.ok()) done = co_await send_surplus(&items, next < changes_.size());
    if (!done.ok()) co_return done;
  } while (next < changes_.size());
  changes_.clear();
  bytes_ = 0;
  std::move(seal.more.begin(), seal.more.end(), std::back_inserter(items));
  if (seal.part) {
    items.emplace_back(put_item(part_key(), encode_part(*seal.part)));
  } else if (part_stored_) {
    items.emplace_back(remove_item(part_key()));
  }
  if (seal.beat) {
    net::PutItem beat = put_item(beat_key(), std::to_string(*seal.beat));
    beat.sync = seal.sync;
    items.emplace_back(std::move(beat));
  }
  part_stored_ = seal.part.has_value();
  under_way_ = true;
  auto ended = [this](std::exception_ptr error, Status sent) {
    under_way_ = false;
    last_ = std::move(sent);
    settled_.cancel();
    if (error) std::rethrow_exception(error);
  };
  asio::co_spawn(executor_, send(std::move(items), seal.mark), ended);
  co_return Status();
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
  closing.emplace_back(put_item(rules_key(), encode_rules(state->rules)));
  Status done = co_await send(std::move(closing), unmarked);
  for (std::size_t i = 0; done.ok() && i < prefixes.size(); ++i) {
    done = co_await remove_all(prefixes[i], kAnyVersion);
  }
  if (!done.ok()) co_return done;
  std::vector<net::BatchItem> rest;
  for (const std::string& key :
       {rules_key(), source_key(), position_key(), part_key(), beat_key(), owner_key()}) {
    rest.emplace_back(remove_item(key));
  }
  done = co_await send(std::move(rest), unmarked);
  if (!done.ok()) co_return done;
  co_return true;
}

}  // namespace edged::mirror
