// SPDX-License-Identifier: Apache-2.0
// What tests/kvstore/store_log_damage_test.cc samples, complete: every byte of a log flipped, every
// length cut, each on the boot that wrote it and on another.
#include <algorithm>
#include <random>
#include <vector>

#include "proto/base/log.h"
#include "tests/kvstore/damaged_store.h"
#include "tests/soak/soak.h"

namespace edged::soak {
namespace {

using test::DamagedStore;

struct Case {
  bool cut = false;  // else flip
  std::size_t at = 0;
  DamagedStore::Boot boot = DamagedStore::Boot::kSame;
};

std::vector<Case> all_cases(std::size_t log_bytes) {
  std::vector<Case> cases;
  for (const bool cut : {false, true}) {
    for (const auto boot : {DamagedStore::Boot::kSame, DamagedStore::Boot::kNew}) {
      for (std::size_t at = 0; at < log_bytes; ++at) cases.push_back({cut, at, boot});
    }
  }
  return cases;
}

}  // namespace

SoakResult run_damage(const SoakOptions& options) {
  log::set_level(log::Level::kOff);
  DamagedStore store(options.directory);
  std::mt19937_64 random(options.seed);
  auto cases = all_cases(store.log().size());
  const std::size_t all = cases.size();
  if (options.cycles != 0 && options.cycles < all) {
    std::shuffle(cases.begin(), cases.end(), random);
    cases.resize(options.cycles);
  }
  Progress progress(options);
  SoakResult result;
  std::uint64_t tried = 0, refused = 0, whole = 0, shorter = 0;
  for (const Case& one : cases) {
    std::string log = store.log();
    if (one.cut) {
      log.resize(one.at);
    } else {
      log[one.at] = static_cast<char>(log[one.at] ^ (1 << random() % 8));
    }
    auto outcome = store.open_with(log, one.boot);
    if (options.canary && !outcome.refused) outcome.wrong = "the canary: it opened";
    ++tried;
    if (!outcome.wrong.empty()) {
      result.failure = std::string(one.cut ? "length " : "byte ") + std::to_string(one.at) +
                       " of " + std::to_string(store.log().size()) + ": " + outcome.wrong;
      break;
    }
    refused += outcome.refused;
    whole += !outcome.refused && outcome.present == DamagedStore::kEntries;
    shorter += !outcome.refused && outcome.present < DamagedStore::kEntries;
    if (!progress.next(tried, figure(refused, "refused"))) break;
  }
  result.summary = figure(tried, "of ") + figure(all, "cases on a log of ") +
                   figure(store.log().size(), "bytes, ") + figure(refused, "refused, ") +
                   figure(whole, "opened with everything, ") +
                   figure(shorter, "of another boot with all that was synced, ") +
                   figure(progress.seconds(), "s");
  return result;
}

}  // namespace edged::soak
