// SPDX-License-Identifier: Apache-2.0
// The ring of changes and its watches.
#include "kvstore/storage/write/change_feed.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace edged::storage {
namespace {

constexpr std::size_t kChangeOverheadBytes = sizeof(Change);
// Changes of others that one call passes over at most, so that a call takes a bounded time.
constexpr std::size_t kPassedOverMax = 4096;

bool concerns(const Change& change, const WatchRequest& request) {
  if (change.ns != request.ns) return false;
  return change.kind == ChangeKind::kClear || change.key.starts_with(request.prefix);
}

}  // namespace

// Positions count changes since the start; ring.front() is at `first`.
struct ChangeFeed::State {
  mutable std::mutex mutex;  // guards all below
  std::deque<Change> ring;
  std::uint64_t first = 0;
  std::size_t bytes = 0;
  Version forgotten;  // everything up to this version is no longer in the ring
  std::set<FeedWatch*> watches;
  std::set<FeedWatch*> waiting;

  std::uint64_t end() const { return first + ring.size(); }
  // Returns it, so that its memory can be used again.
  Change drop_oldest() {
    Change oldest = std::move(ring.front());
    bytes -= oldest.key.size() + kChangeOverheadBytes;
    forgotten = oldest.version;
    ring.pop_front();
    ++first;
    return oldest;
  }
  void append(const ChangeView& view) {
    Change change;
    const std::size_t added = view.key.size() + kChangeOverheadBytes;
    while (!ring.empty() && (ring.size() >= kChangesMax || bytes + added > kBytesMax)) {
      change = drop_oldest();
    }
    change.kind = view.kind;
    change.ns = view.ns;
    change.key.assign(view.key);
    change.version = view.version;
    change.expires_at.reset();
    if (view.expiry_ms != 0) {
      change.expires_at = from_unix_ms(static_cast<std::int64_t>(view.expiry_ms));
    }
    ring.push_back(std::move(change));
    bytes += added;
  }
};

class ChangeFeed::FeedWatch final : public Watch {
 public:
  FeedWatch(std::shared_ptr<State> state,
            WatchRequest request,
            std::uint64_t position,
            Version seen,
            std::function<void()> wake)
      : state_(std::move(state)),
        request_(std::move(request)),
        position_(position),
        seen_(seen),
        wake_(std::move(wake)) {}

  ~FeedWatch() override {
    const std::lock_guard waking(wake_mutex_);
    const std::lock_guard lock(state_->mutex);
    state_->watches.erase(this);
    state_->waiting.erase(this);
  }

  Result<Changes> next(std::size_t limit) override {
    const std::lock_guard lock(state_->mutex);
    if (position_ < state_->first) {
      return Status(Code::kStale, "changes were missed: read the data again and watch anew");
    }
    Changes found;
    std::size_t passed_over = 0;
    while (position_ < state_->end() && found.changes.size() < limit &&
           passed_over < kPassedOverMax) {
      const Change& change = state_->ring[position_ - state_->first];
      ++position_;
      seen_ = change.version;
      if (concerns(change, request_)) {
        found.changes.push_back(change);
      } else {
        ++passed_over;
      }
    }
    found.more = position_ < state_->end();
    found.seen = seen_;
    if (!found.more) state_->waiting.insert(this);
    return found;
  }

  std::mutex wake_mutex_;  // held while wake_ runs; before the state's mutex

 private:
  friend class ChangeFeed;
  const std::shared_ptr<State> state_;
  const WatchRequest request_;
  std::uint64_t position_;
  Version seen_;
  const std::function<void()> wake_;
};

ChangeFeed::ChangeFeed(Version last_version) : state_(std::make_shared<State>()) {
  state_->forgotten = last_version;
}

ChangeFeed::~ChangeFeed() = default;

void ChangeFeed::publish(std::span<const ChangeView> changes) {
  if (changes.empty()) return;
  std::vector<FeedWatch*> woken;
  {
    const std::lock_guard lock(state_->mutex);
    for (const ChangeView& change : changes) state_->append(change);
    woken.assign(state_->waiting.begin(), state_->waiting.end());
  }
  for (FeedWatch* watch : woken) {
    std::unique_lock<std::mutex> waking;
    {
      // It may be gone by now, or going: then its destructor holds the lock that is tried here.
      const std::lock_guard lock(state_->mutex);
      if (state_->waiting.erase(watch) == 0) continue;
      waking = std::unique_lock(watch->wake_mutex_, std::try_to_lock);
    }
    if (waking.owns_lock()) watch->wake_();
  }
}

Result<std::unique_ptr<Watch>> ChangeFeed::watch(WatchRequest request, std::function<void()> wake) {
  const std::lock_guard lock(state_->mutex);
  if (state_->watches.size() >= kWatchesMax) return Status(Code::kBusy, "too many watches");
  std::uint64_t position = state_->end();
  Version seen = state_->ring.empty() ? state_->forgotten : state_->ring.back().version;
  if (request.after) {
    if (*request.after < state_->forgotten) {
      return Status(Code::kStale, "changes after that version are no longer known");
    }
    const auto newer = std::upper_bound(
        state_->ring.begin(),
        state_->ring.end(),
        *request.after,
        [](Version version, const Change& change) { return version < change.version; });
    position = state_->first + static_cast<std::uint64_t>(newer - state_->ring.begin());
    seen = *request.after;
  }
  auto watch =
      std::make_unique<FeedWatch>(state_, std::move(request), position, seen, std::move(wake));
  state_->watches.insert(watch.get());
  return std::unique_ptr<Watch>(std::move(watch));
}

std::size_t ChangeFeed::watches() const {
  const std::lock_guard lock(state_->mutex);
  return state_->watches.size();
}

}  // namespace edged::storage
