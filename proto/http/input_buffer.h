// SPDX-License-Identifier: Apache-2.0
// What has come from a peer and is not parsed yet, at most kBytesMax. Its memory goes back while a
// connection is idle. One thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace edged::http {

class InputBuffer {
 public:
  static constexpr std::size_t kBytesMax = 64 * 1024;

  std::string_view view() const { return std::string_view(bytes_).substr(begin_); }
  bool empty() const { return begin_ == bytes_.size(); }

  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ < bytes_.size()) return;
    begin_ = 0;
    bytes_.clear();
  }
  void clear() { consume(bytes_.size() - begin_); }

  // Room for at most `count` bytes, which commit() then takes in.
  struct Room {
    char* at = nullptr;
    std::size_t size = 0;
  };
  Room prepare(std::size_t count) {
    bytes_.erase(0, begin_);
    begin_ = 0;
    used_ = bytes_.size();
    count = std::min(count, kBytesMax - std::min(used_, kBytesMax));
    bytes_.resize(used_ + count);
    return {bytes_.data() + used_, count};
  }
  void commit(std::size_t count) { bytes_.resize(used_ + count); }

  void release_memory() {
    if (empty()) std::string().swap(bytes_);
  }

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
  std::size_t used_ = 0;  // before the room that prepare() gave
};

}  // namespace edged::http
