// SPDX-License-Identifier: Apache-2.0
// How far a long command has come: one line on stderr that is written over, at most twice a second,
// and only if stderr is a terminal. One thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace edged::kvctl {

class Progress {
 public:
  // `verb`: "exported", "stored"; `things`: what is counted.
  explicit Progress(const char* verb, const char* things = "entries");
  ~Progress();  // clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t entries, std::uint64_t bytes);

 private:
  const char* const verb_;
  const char* const things_;
  const bool on_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace edged::kvctl
