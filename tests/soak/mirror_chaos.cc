// SPDX-License-Identifier: Apache-2.0
// See mirror_chaos.h.
#include "tests/soak/mirror_chaos.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "tests/soak/mirror_tables.h"

namespace edged::soak {
namespace {

using std::chrono::milliseconds;

// How far a restored log is taken beyond where it was, so that its end tells nothing.
constexpr int kWalSwitchesMax = 20;

}  // namespace

const MirrorChaos::Event MirrorChaos::kEvents[] = {
    {"kill_worker", 12, &MirrorChaos::kill_worker},
    {"kill_node", 12, &MirrorChaos::kill_node},
    {"kill_both", 5, &MirrorChaos::kill_both},
    {"crash_postgres", 8, &MirrorChaos::crash_postgres},
    {"stall", 8, &MirrorChaos::stall},
    {"stall_present", 6, &MirrorChaos::stall_present},
    {"cut", 8, &MirrorChaos::cut},
    {"delay", 5, &MirrorChaos::delay},
    {"drop_slot", 7, &MirrorChaos::drop_slot},
    {"publication", 7, &MirrorChaos::change_publication},
    {"add_column", 6, &MirrorChaos::add_column},
    {"clear", 6, &MirrorChaos::clear},
    {"back_up", 2, &MirrorChaos::back_up},
    {"restore", 4, &MirrorChaos::restore},
};

void MirrorChaos::pause_up_to(std::uint64_t ms) {
  std::this_thread::sleep_for(milliseconds(pick(ms)));
}

bool MirrorChaos::say(const std::string& sql) {
  const MirrorSql::Answer answer = application_.insist(sql);
  if (!answer.ok()) std::printf("refused: %s: %s", sql.c_str(), answer.error.c_str());
  return answer.ok();
}

bool MirrorChaos::is_event(const std::string& name) {
  return std::any_of(std::begin(kEvents), std::end(kEvents), [&](const Event& event) {
    return event.name == name;
  });
}

Status MirrorChaos::strike() {
  const auto counts = [this](const Event& event) { return only_.empty() || only_ == event.name; };
  std::uint64_t total = 0;
  for (const Event& event : kEvents) total += counts(event) ? event.weight : 0;
  std::uint64_t chosen = pick(total);
  for (const Event& event : kEvents) {
    if (!counts(event)) continue;
    if (chosen < event.weight) {
      ++events_[event.name];
      std::printf("%lld %s\n", static_cast<long long>(wall_ms()), event.name);
      std::fflush(stdout);
      return (this->*event.strike)();
    }
    chosen -= event.weight;
  }
  return {};
}

Status MirrorChaos::kill_worker() {
  world_.worker.kill();
  pause_up_to(1500);
  world_.worker.start();
  return {};
}

Status MirrorChaos::kill_node() {
  world_.node.kill();
  pause_up_to(1000);
  world_.node.start();
  return world_.wait_for_node();
}

Status MirrorChaos::kill_both() {
  const bool worker_first = pick(2) == 0;
  (worker_first ? world_.worker : world_.node).kill();
  pause_up_to(50);
  world_.node.kill();
  world_.worker.kill();
  pause_up_to(800);
  world_.worker.start();
  pause_up_to(300);
  world_.node.start();
  return world_.wait_for_node();
}

Status MirrorChaos::crash_postgres() {
  world_.cluster.stop_immediately();
  pause_up_to(1000);
  world_.cluster.start();
  return {};
}

Status MirrorChaos::stall() {
  world_.proxy.stall(milliseconds(1000 + pick(4000)), false);
  return {};
}

Status MirrorChaos::stall_present() {
  world_.proxy.stall(milliseconds(1000 + pick(9000)), true);
  return {};
}

Status MirrorChaos::cut() {
  world_.proxy.cut();
  return {};
}

Status MirrorChaos::delay() {
  world_.proxy.delay(milliseconds(1 + pick(60)));
  pause_up_to(2500);
  world_.proxy.delay(milliseconds(0));
  return {};
}

Status MirrorChaos::drop_slot() {
  const bool kills = pick(2) == 0;
  if (kills) world_.worker.kill();
  const std::string slot = MirrorWorld::kSlot;
  // The walsender may be there for a moment longer, or be back already.
  const std::string drop =
      "select pg_terminate_backend(active_pid, 2000) from pg_replication_slots where slot_name = "
      "'" +
      slot +
      "' and active_pid is not null; select pg_drop_replication_slot(slot_name) from "
      "pg_replication_slots where slot_name = '" +
      slot + "'";
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (application_.insist(drop).ok()) break;
    std::this_thread::sleep_for(milliseconds(20));
  }
  if (kills) pause_up_to(800);
  world_.worker.start();
  return {};
}

Status MirrorChaos::change_publication() {
  static constexpr const char* kNames[] = {"counters", "items", "docs"};
  const std::string table = kNames[pick(kTables)];
  const std::string alter = "alter publication " + std::string(MirrorWorld::kSlot);
  run_.shape_changed_ms.store(wall_ms());
  // The worker mends it too: either may come second.
  application_.insist(alter + " drop table public." + table);
  pause_up_to(1200);
  application_.insist(alter + " add table public." + table);
  run_.shape_changed_ms.store(wall_ms());
  return {};
}

Status MirrorChaos::add_column() {
  const std::string before = column_;
  column_ = "extra_" + std::to_string(++columns_);
  run_.oracle.require_column("counter:", "");
  run_.shape_changed_ms.store(wall_ms());
  if (!say("set lock_timeout = '20s'; alter table public.counters add column if not exists " +
           column_ + " text default 'given'")) {
    return {};
  }
  if (!before.empty()) say("alter table public.counters drop column if exists " + before);
  run_.oracle.require_column("counter:", column_);
  return {};
}

Status MirrorChaos::clear() {
  const Status cleared = world_.client().clear_namespace(MirrorWorld::kNamespace);
  if (!cleared.ok()) std::printf("not cleared: %s\n", cleared.to_string().c_str());
  return {};
}

Status MirrorChaos::back_up() {
  // One that has the slot: where it was not there, all is loaded anew in any case.
  const std::string slots = "select count(*) from pg_replication_slots";
  for (int i = 0; i < 100 && application_.insist(slots).value() == "0"; ++i) pause_up_to(100);
  run_.writers.close();
  const Status done = world_.back_up();
  run_.writers.open();
  return done;
}

// Sometimes while the worker hears nothing, and with a log that goes on beyond where it was.
Status MirrorChaos::restore() {
  if (!world_.backed_up()) return back_up();
  run_.writers.close();
  const std::string end = application_.insist("select pg_current_wal_lsn()").value();
  const bool silent = pick(2) == 0, longer = pick(3) != 0;
  const milliseconds silence(silent ? 5000 + pick(15'000) : 0);
  if (silent) world_.proxy.stall(silence, true);
  run_.oracle.require_column("counter:", "");
  column_.clear();
  const Status done = world_.restore();
  Changes states;
  for (auto& [key, row] : read_tables(application_)) states[key] = row.state;
  run_.oracle.reset(states);
  for (int i = 0; done.ok() && longer && i < kWalSwitchesMax; ++i) {
    if (application_.insist("select pg_current_wal_lsn() > '" + end + "'::pg_lsn").value() == "t")
      break;
    say("insert into public.commits values (-" + std::to_string(run_.oracle.next_version()) +
        "); select pg_switch_wal()");
  }
  run_.writers.open();
  // The worker may talk to it in new sessions before it hears that the old ones are dead.
  std::this_thread::sleep_for(silence);
  return done;
}

}  // namespace edged::soak
