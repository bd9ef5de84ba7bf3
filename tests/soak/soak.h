// SPDX-License-Identifier: Apache-2.0
// What the soak programs share: options, progress, result. Each runs cycles with a seed until one
// breaks a promise, and says what it did in figures. One thread each.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace edged::soak {

struct SoakOptions {
  std::uint64_t seed = 0;
  std::uint64_t cycles = 0;
  std::chrono::seconds time_limit{0};  // 0: none
  std::string directory;               // exists, is empty, is removed by the caller
  bool canary = false;                 // break the promise on purpose: the run must fail
};

struct SoakResult {
  std::string failure;  // empty: every promise was kept
  std::string summary;  // one line of figures
};

// A line on standard output now and then.
class Progress {
 public:
  explicit Progress(const SoakOptions& options) : options_(options) {}

  // Once per cycle. False: the time is over.
  bool next(std::uint64_t cycle, const std::string& figures);
  double seconds() const;

 private:
  const SoakOptions options_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point told_ = begin_;
};

// "12.3 s", "4567 cycles": for summaries.
std::string figure(double number, const char* unit);
std::string figure(std::uint64_t number, const char* unit);

// A writer is killed with SIGKILL at a random moment, again and again.
SoakResult run_kill(const SoakOptions& options);
// The power goes at a random file operation, again and again.
SoakResult run_power(const SoakOptions& options);
// Random operations, reopenings, clock steps and crashes against a map; `cycles` operations.
SoakResult run_model(const SoakOptions& options);
// Every byte of a log flipped, every length cut; `cycles`: at most so many cases, 0 for all.
SoakResult run_damage(const SoakOptions& options);

}  // namespace edged::soak
