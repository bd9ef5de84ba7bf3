// SPDX-License-Identifier: Apache-2.0
// edged-soak-cron: fleets of five workers, each with the scheduler and a clock of its own, over
// years of simulated time, on one real PostgreSQL. Clocks are stepped, machines sleep, processes
// are stopped and killed; every decision is compared with an oracle that knows due times from the C
// library, and every tick that a worker was there for must have run once.
//   edged-soak-cron [--ticks N] [--fleets N] [--seconds T] [--seed S] [--canary twice|missing]
// Exit codes: 0 every promise kept, 1 not (with --canary, which takes the uniqueness of a tick
// away, or swallows ticks: the other way round).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "tests/soak/cron_fleet.h"
#include "tests/support/postgres_cluster.h"

namespace edged::soak {
namespace {

struct Options {
  std::uint64_t ticks = 100'000;
  std::uint64_t seconds = 0;
  std::uint64_t seed = 0;
  std::size_t fleets = 6;
  std::string canary;
};

// The day before a change of clocks in New York, Berlin or on Lord Howe, in years of a zone's list
// of changes and of the rule for the time after it.
constexpr std::chrono::year_month_day kStarts[] = {
    std::chrono::year(2024) / 3 / 9,
    std::chrono::year(2024) / 10 / 26,
    std::chrono::year(2041) / 10 / 5,
    std::chrono::year(2041) / 11 / 2,
    std::chrono::year(2012) / 3 / 24,
    std::chrono::year(2012) / 3 / 31,
};

struct Tables {
  UnixMs from = 0;
  UnixMs until = 0;
  std::vector<std::vector<UnixMs>> due;  // by job
};

// As many days as hold the ticks, and some more: not every tick has a run. Also some before: a
// clock may be stepped back.
Tables make_tables(std::chrono::sys_days start, std::uint64_t ticks) {
  constexpr UnixMs kStep = UnixMs{20} * 24 * 3'600'000;
  Tables tables;
  tables.from = to_unix_ms(start);
  tables.until = tables.from - kStep / 2;
  tables.due.resize(cron_jobs().size());
  std::uint64_t total = 0;
  for (int beyond = 0; beyond < 2;) {
    for (std::size_t job = 0; job < tables.due.size(); ++job) {
      const auto more = due_times(cron_jobs()[job], tables.until, tables.until + kStep);
      tables.due[job].insert(tables.due[job].end(), more.begin(), more.end());
      total += more.size();
    }
    tables.until += kStep;
    if (total > ticks + ticks / 10) ++beyond;
  }
  return tables;
}

// A fleet with jobs of its own; several share the database.
struct Fleet {
  Fleet(const std::string& database_name,
        std::size_t index,
        CronFleetOptions fleet_options,
        Tables t)
      : tables(std::move(t)),
        database(database_name, " of fleet " + std::to_string(index)),
        ledger(cron_jobs().size()),
        fleet(database, ledger, tables.due, fleet_options) {}

  const Tables tables;
  CronDatabase database;
  CronLedger ledger;
  CronFleet fleet;
};

// Ticks that some worker was there for. The same ticks over again, by rules that know no plan.
struct Audit {
  std::uint64_t due = 0;
  std::uint64_t must = 0;
  std::uint64_t excused = 0;  // have no run, and nobody was there in time
};

void audit(Fleet& of, Audit& result) {
  const Tables& tables = of.tables;
  const CronFleet& fleet = of.fleet;
  CronLedger& ledger = of.ledger;
  const auto calm = fleet.calm_stretches();
  for (std::size_t job = 0; job < tables.due.size(); ++job) {
    for (const UnixMs due : tables.due[job]) {
      if (due >= fleet.now()) break;
      if (due < tables.from) continue;
      ++result.due;
      const bool must = must_have_run(due, fleet.jitter(job), calm, ledger.busy(job));
      result.must += must;
      if (ledger.has_run(job, due)) continue;
      ++result.excused;
      if (must) {
        ledger.violation(std::string(cron_jobs()[job].name) + " of " +
                         format_rfc3339(from_unix_ms(due)) + " has no run, and was waited for");
      }
    }
  }
}

// PostgreSQL must tell the same as its answers did.
bool audit_rows(const std::string& database, const CronFigures& figures) {
  bool same = true;
  const auto expect = [&](const std::string& what, const std::string& sql, std::uint64_t number) {
    const std::string found = test::PostgresCluster::shared().value(database, sql);
    if (found == std::to_string(number)) return;
    std::printf(
        "BROKEN: %s: %s, not %s\n", what.c_str(), found.c_str(), std::to_string(number).c_str());
    same = false;
  };
  const std::string from = " from edged.cron_runs";
  expect("runs", "select count(*)" + from, figures.ticks);
  expect("ticks", "select count(distinct (job, due_at))" + from, figures.ticks);
  expect("runs without success", "select count(*)" + from + " where status <> 'succeeded'", 0);
  expect("take-overs", "select coalesce(sum(attempts - 1), 0)" + from, figures.taken_over);
  return same;
}

void add(CronFigures& sum, const CronFigures& one) {
  sum.ticks += one.ticks;
  sum.late += one.late;
  sum.refused += one.refused;
  sum.taken_over += one.taken_over;
  sum.fenced += one.fenced;
  sum.renewed += one.renewed;
  sum.violations += one.violations;
}

void add(ChaosFigures& sum, const ChaosFigures& one) {
  sum.steps_forward += one.steps_forward;
  sum.steps_back += one.steps_back;
  sum.large_steps_back += one.large_steps_back;
  sum.sleeps += one.sleeps;
  sum.stops += one.stops;
  sum.kills += one.kills;
  sum.kills_in_runs += one.kills_in_runs;
  sum.blackouts += one.blackouts;
  sum.looks += one.looks;
  sum.asked += one.asked;
  sum.asked_at_once_max = std::max(sum.asked_at_once_max, one.asked_at_once_max);
}

ZoneChanges changes_met(const Fleet& of) {
  std::set<std::string> zones;
  ZoneChanges all;
  for (const CronJobSpec& job : cron_jobs()) {
    if (!zones.insert(job.zone).second) continue;
    const ZoneChanges changes = zone_changes(job.zone, of.tables.from, of.fleet.now());
    all.forwards += changes.forwards;
    all.backwards += changes.backwards;
  }
  return all;
}

void print_figures(const std::vector<std::pair<const char*, std::uint64_t>>& figures) {
  std::string text;
  for (const auto& [name, number] : figures) {
    text += (text.empty() ? "{\"" : ", \"") + std::string(name) + "\": " + std::to_string(number);
  }
  std::printf("%s}\n", text.c_str());
}

struct Total {
  Audit ticks;
  CronFigures figures;
  ChaosFigures chaos;
  ZoneChanges changes;
  std::uint64_t days = 0, statements = 0, seconds = 0;
};

void print(const Total& total) {
  print_figures({{"ticks_due", total.ticks.due},
                 {"ticks_run", total.figures.ticks},
                 {"ticks_that_had_to_run", total.ticks.must},
                 {"ticks_without_run", total.ticks.excused},
                 {"run_late", total.figures.late},
                 {"refused", total.figures.refused},
                 {"taken_over", total.figures.taken_over},
                 {"fenced", total.figures.fenced},
                 {"leases_renewed", total.figures.renewed},
                 {"violations", total.figures.violations}});
  print_figures({{"simulated_days", total.days},
                 {"zone_changes_forwards", total.changes.forwards},
                 {"zone_changes_backwards", total.changes.backwards},
                 {"clock_steps_forwards", total.chaos.steps_forward},
                 {"clock_steps_backwards", total.chaos.steps_back},
                 {"of_those_over_3_h", total.chaos.large_steps_back},
                 {"machines_slept", total.chaos.sleeps},
                 {"processes_stopped", total.chaos.stops},
                 {"workers_killed", total.chaos.kills},
                 {"killed_in_runs", total.chaos.kills_in_runs},
                 {"all_killed", total.chaos.blackouts},
                 {"looks", total.chaos.looks},
                 {"asked", total.chaos.asked},
                 {"asked_at_once_max", total.chaos.asked_at_once_max},
                 {"statements", total.statements},
                 {"seconds", total.seconds}});
}

// Each fleet on a thread of its own.
std::vector<std::unique_ptr<Fleet>> run_fleets(const Options& options,
                                               const std::string& database) {
  std::vector<std::unique_ptr<Fleet>> fleets;
  for (std::size_t i = 0; i < options.fleets; ++i) {
    CronFleetOptions one;
    one.seed = options.seed + i;
    one.ticks = (options.ticks + options.fleets - 1) / options.fleets;
    one.time_limit = std::chrono::seconds(options.seconds);
    if (options.canary == "missing") one.canary = CronCanary::kMissing;
    Tables tables = make_tables(kStarts[(options.seed + i) % std::size(kStarts)], one.ticks);
    one.from = tables.from;
    one.until = tables.until;
    fleets.push_back(std::make_unique<Fleet>(database, i, one, std::move(tables)));
  }
  std::vector<std::thread> threads;
  for (const auto& one : fleets) threads.emplace_back([&one] { one->fleet.run(); });
  for (std::thread& thread : threads) thread.join();
  return fleets;
}

int run(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  std::printf("edged-soak-cron --seed %llu --ticks %llu --fleets %zu%s%s\n",
              static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.ticks),
              options.fleets,
              options.canary.empty() ? "" : " --canary ",
              options.canary.c_str());
  std::fflush(stdout);
  const std::string database = create_cron_database();
  if (options.canary == "twice") {
    (void)test::PostgresCluster::shared().query(
        database, "alter table edged.cron_runs drop constraint cron_runs_one_per_tick");
  }
  const auto fleets = run_fleets(options, database);
  Total total;
  for (const auto& one : fleets) {
    audit(*one, total.ticks);
    add(total.figures, one->ledger.figures());
    add(total.chaos, one->fleet.figures());
    const ZoneChanges changes = changes_met(*one);
    total.changes.forwards += changes.forwards;
    total.changes.backwards += changes.backwards;
    total.days += static_cast<std::uint64_t>((one->fleet.now() - one->tables.from) / 86'400'000);
    total.statements += one->database.statements();
  }
  bool kept = total.figures.violations == 0;
  if (kept) kept = audit_rows(database, total.figures);
  total.seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin)
          .count());
  print(total);
  if (!options.canary.empty()) std::printf("the canary was %s\n", kept ? "MISSED" : "found");
  return kept == options.canary.empty() ? 0 : 1;
}

}  // namespace
}  // namespace edged::soak

int main(int argc, char** argv) {
  CLI::App app("Tries to break the scheduler's promises: each tick has one run in a fleet");
  edged::soak::Options options;
  options.seed = std::random_device{}();
  app.add_option("--ticks", options.ticks, "End after so many have run")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}));
  app.add_option("--seconds", options.seconds, "End after so many");
  app.add_option("--fleets", options.fleets, "So many fleets of five workers at a time")
      ->check(CLI::Range(std::size_t{1}, std::size_t{16}));
  app.add_option("--seed", options.seed, "Of a run to be repeated");
  app.add_option("--canary", options.canary, "Break a promise: the run must notice")
      ->check(CLI::IsMember({"twice", "missing"}));
  CLI11_PARSE(app, argc, argv);
  return edged::soak::run(options);
}
