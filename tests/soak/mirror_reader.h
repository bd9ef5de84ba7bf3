// SPDX-License-Identifier: Apache-2.0
// Reads random keys of the mirror's soak and lets the oracle judge every answer. A thread each.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "proto/net/blocking_client.h"
#include "tests/soak/mirror_run.h"

namespace edged::soak {

class MirrorReader {
 public:
  MirrorReader(MirrorRun& run, std::uint64_t seed);

  // Until run.stop.
  void run();

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  std::string random_key();
  void read(const std::string& key);
  void check_bound(const std::string& key, std::int64_t bound_ms, Answer& answer);

  MirrorRun& run_;
  std::mt19937_64 random_;
  net::BlockingClient client_;
};

}  // namespace edged::soak
