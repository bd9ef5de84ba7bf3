// SPDX-License-Identifier: Apache-2.0
// What happens to the mirror of the soak, one event at a time. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "proto/base/status.h"
#include "tests/soak/mirror_run.h"
#include "tests/soak/mirror_world.h"

namespace edged::soak {

class MirrorChaos {
 public:
  // `only`: the one event there is; empty: all of them.
  MirrorChaos(MirrorWorld& world, MirrorRun& run, std::uint64_t seed, std::string only)
      : world_(world),
        run_(run),
        random_(seed),
        only_(std::move(only)),
        application_(world.sql_url()) {}

  static bool is_event(const std::string& name);

  // One event, after which everything runs again or is about to. Errors: something does not start
  // any more.
  Status strike();
  // How often each came.
  const std::map<std::string, std::uint64_t>& events() const { return events_; }

 private:
  struct Event {
    const char* name;
    std::uint64_t weight;
    Status (MirrorChaos::*strike)();
  };
  static const Event kEvents[];

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  void pause_up_to(std::uint64_t ms);
  // A statement that may be refused, as everything else goes on meanwhile: false.
  bool say(const std::string& sql);

  Status kill_worker();
  Status kill_node();
  Status kill_both();
  Status crash_postgres();
  Status stall();
  Status stall_present();
  Status cut();
  Status delay();
  Status drop_slot();
  Status change_publication();
  Status add_column();
  Status clear();
  Status back_up();
  Status restore();

  MirrorWorld& world_;
  MirrorRun& run_;
  std::mt19937_64 random_;
  const std::string only_;
  MirrorSql application_;
  std::map<std::string, std::uint64_t> events_;
  std::string column_;  // that was added last
  std::uint64_t columns_ = 0;
};

}  // namespace edged::soak
