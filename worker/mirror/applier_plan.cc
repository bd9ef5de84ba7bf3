// SPDX-License-Identifier: Apache-2.0
// See applier.h: from the changes that were collected to the items of a batch.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <set>
#include <utility>

#include "proto/net/spawn.h"
#include "worker/mirror/applier.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

// PostgreSQL sends a transaction a moment before its statements see it, or long before, if a
// standby must confirm it.
constexpr std::chrono::milliseconds kVisibleInterval{10};
constexpr int kVisibleAttempts = 3'000;

// How many keys one statement reads: more while their rows are small, so that the answer fits the
// memory of a batch.
constexpr std::size_t kFetchKeysMax = 1'000;
constexpr std::size_t kFetchBytesSmall = 256 * 1024, kFetchBytesLarge = 4 * 1024 * 1024;

void append(std::vector<net::BatchItem> more, std::vector<net::BatchItem>* items) {
  std::move(more.begin(), more.end(), std::back_inserter(*items));
}

}  // namespace

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

// Whether the node's value of a row that the plan has not changed is the row's own, as it was
// before `change`. Where keys are deferred, an earlier part of a transaction may have put another
// row there.
bool Applier::node_is_current(const RowChange& change, bool first_plan) const {
  if (change.deferred_key && (part_stored_ || !first_plan)) return false;
  const auto unknown = fetched_.unknown_until().find(change.rule);
  return unknown == fetched_.unknown_until().end() || unknown->second < change.commit_lsn;
}

asio::awaitable<Result<std::optional<std::string>>> Applier::read_stored(
    const BatchPlan::Stored& stored) {
  std::vector<std::string> keys{stored.key};
  const auto found = co_await client_.mirror_get(ns_, std::move(keys));
  if (!found) co_return found.error().with_context("could not read a mirrored row");
  std::optional<std::string> value;
  if (found->front()) value = found->front()->value;
  co_return value;
}

// Adds a row of which columns were not sent to the plan, with those of the stored value. Answers
// with the bytes of the entry.
asio::awaitable<Result<std::size_t>> Applier::complete(const RowChange& change,
                                                       bool first_plan,
                                                       BatchPlan* plan) {
  const std::optional<std::string> before = plan->key_before(change);
  std::optional<std::string_view> before_view;
  if (before) before_view = *before;
  const Result<std::optional<std::string>> key = change.partial->key(before_view);
  if (!key && key.code() != Code::kNotFound) co_return key.error();
  if (!key) co_return Status(Code::kVersionMismatch, key.error().message());
  if (!*key) {
    plan->add(change, std::nullopt);
    co_return 0U;
  }
  const BatchPlan::Stored stored = plan->stored_before(change);
  std::optional<std::string> value;
  if (stored.where == BatchPlan::Stored::Where::kPlan) value = std::string(stored.value);
  if (stored.where == BatchPlan::Stored::Where::kNode && node_is_current(change, first_plan)) {
    Result<std::optional<std::string>> read = co_await read_stored(stored);
    if (!read) co_return read.error();
    value = *std::move(read);
  }
  std::optional<std::string_view> view;
  if (value) view = *value;
  Result<std::optional<RowMapper::Entry>> entry = change.partial->complete(view, before_view);
  if (entry) {
    const std::size_t bytes = *entry ? (*entry)->value.size() : 0;
    plan->add(change, *std::move(entry));
    co_return bytes;
  }
  if (entry.code() != Code::kNotFound) co_return entry.error();
  if (fetcher_ == nullptr) co_return Status(Code::kVersionMismatch, entry.error().message());
  const Result<bool> expired = change.partial->has_expired(to_unix_ms(clock_->wall_now()));
  if (!expired) co_return expired.error();
  *expired ? plan->add_expired(change, **key) : plan->add_unknown(change, **key);
  co_return 0U;
}

// Rows as a statement sees them that sees all transactions whose changes are to be flushed.
asio::awaitable<Result<FetchedRows>> Applier::fetch_visible(std::size_t rule,
                                                            std::vector<std::string> keys) {
  std::set<std::uint32_t> xids;
  for (const RowChange& change : changes_) xids.insert(change.xid);
  for (int attempt = 0; attempt < kVisibleAttempts; ++attempt) {
    Result<FetchedRows> rows = co_await fetcher_->fetch(rule, keys);
    if (!rows) co_return rows.error();
    if (std::all_of(xids.begin(), xids.end(), [&](std::uint32_t xid) {
          return rows->snapshot->includes(xid);
        })) {
      co_return rows;
    }
    visible_.expires_after(kVisibleInterval);
    co_await visible_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return Status(Code::kUnavailable,
                   "could not read rows: PostgreSQL has sent a transaction that is not visible "
                   "after 30 s. Does it wait for a synchronous standby?");
}

void Applier::note_fetched(std::size_t rule, Lsn until) {
  Lsn& known = fetched_until_[rule];
  if (until <= known) return;
  known = until;
  fetched_stored_ = false;
}

asio::awaitable<Status> Applier::fetch(std::size_t rule,
                                       std::vector<std::string> keys,
                                       std::vector<net::BatchItem>* items) {
  if (fetcher_ == nullptr) {
    co_return Status(Code::kVersionMismatch, "a key that a row has left cannot be read");
  }
  for (std::size_t first = 0; first < keys.size();) {
    const std::size_t count = std::min(fetch_keys_, keys.size() - first);
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<std::string> some(begin, begin + static_cast<std::ptrdiff_t>(count));
    Result<FetchedRows> rows = co_await fetch_visible(rule, some);
    if (!rows) co_return rows.error();
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      fetched_.add(rule, some[i], rows->snapshot, rows->until);
      if (!rows->entries[i]) {
        items->emplace_back(remove_item(some[i]));
        continue;
      }
      const std::size_t size = rows->entries[i]->value.size() + some[i].size();
      if (size > kBatchBytesMax) co_return entry_too_large(size);
      bytes += size;
      items->push_back(entry_item(*std::move(rows->entries[i])));
    }
    note_fetched(rule, rows->until);
    if (bytes < kFetchBytesSmall) fetch_keys_ = std::min(fetch_keys_ * 4, kFetchKeysMax);
    if (bytes > kFetchBytesLarge) fetch_keys_ = std::max<std::size_t>(fetch_keys_ / 4, 1);
    first += count;
    const Status sent = co_await send_surplus(items, false);
    if (!sent.ok()) co_return sent;
  }
  co_return Status();
}

// The last states of the keys after the changes from `first` to `*next`: all changes, unless
// completed rows become more than memory should hold.
asio::awaitable<Status> Applier::plan_changes(std::size_t first,
                                              std::vector<net::BatchItem>* items,
                                              std::size_t* next) {
  BatchPlan plan(
      [this](const std::string& key, std::uint32_t xid) { return fetched_.includes(key, xid); });
  const Status known = co_await read_index(first, &plan);
  if (!known.ok()) co_return known;
  std::size_t completed_bytes = 0;
  for (*next = first; *next < changes_.size() && completed_bytes < kBatchBytesMax; ++*next) {
    RowChange& change = changes_[*next];
    if (!change.partial) {
      plan.add(change, std::move(change.entry));
      continue;
    }
    const Result<std::size_t> bytes = co_await complete(change, first == 0, &plan);
    if (!bytes) co_return bytes.error();
    completed_bytes += *bytes;
  }
  std::map<std::size_t, std::vector<std::string>> unknown = plan.unknown_keys();
  append(plan.take_items(), items);
  for (auto& [rule, keys] : unknown) {
    const Status fetched = co_await fetch(rule, std::move(keys), items);
    if (!fetched.ok()) co_return fetched;
  }
  append(plan.take_index_items(), items);
  co_return Status();
}

asio::awaitable<Status> Applier::begin_flush(Seal seal) {
  const Status settled = co_await settle();
  if (!settled.ok()) co_return settled;
  if (!changes_.empty()) fetched_.forget_before(changes_.front().commit_lsn);
  surplus_announced_ = false;
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
  if (!fetched_stored_) items.emplace_back(put_item(fetched_key(), encode_fetched(fetched_until_)));
  fetched_stored_ = true;
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
  auto ended = [this](Status sent) {
    under_way_ = false;
    last_ = std::move(sent);
    settled_.notify_all();
  };
  net::spawn(executor_, send(std::move(items), seal.mark), ended);
  co_return Status();
}

}  // namespace edged::mirror
