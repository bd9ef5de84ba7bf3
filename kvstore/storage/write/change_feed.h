// SPDX-License-Identifier: Apache-2.0
// The last changes of the store in a ring of bounded size, and the watches that read it. A watch
// that falls behind the ring is told so (kStale) instead of being waited for: who writes never
// waits, and memory has a bound whatever the watchers do. publish() belongs to whoever may write;
// everything else: any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string_view>

#include "kvstore/storage/store.h"

namespace edged::storage {

class ChangeFeed {
 public:
  static constexpr std::size_t kChangesMax = 65'536;
  static constexpr std::size_t kBytesMax = 8 * 1024 * 1024;
  static constexpr std::size_t kWatchesMax = 10'000;

  // Changes up to `last_version` are not known.
  explicit ChangeFeed(Version last_version);
  ~ChangeFeed();
  ChangeFeed(const ChangeFeed&) = delete;
  ChangeFeed& operator=(const ChangeFeed&) = delete;

  // A change whose key is somebody else's.
  struct ChangeView {
    ChangeKind kind = ChangeKind::kPut;
    NamespaceNumber ns = 0;
    std::string_view key;
    Version version = 0;
    std::uint64_t expiry_ms = 0;  // Unix milliseconds; 0: never
  };
  // Appends changes that are acknowledged, in the order of their versions, and wakes watches that
  // wait.
  void publish(std::span<const ChangeView> changes);

  // See Store::watch; the namespace was checked. The watch may outlive this object.
  Result<std::unique_ptr<Watch>> watch(WatchRequest request, std::function<void()> wake);

  std::size_t watches() const;

 private:
  class FeedWatch;
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace edged::storage
