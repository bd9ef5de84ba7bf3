// SPDX-License-Identifier: Apache-2.0
// edged-soak-linear: clients read and write few keys of a real node, on its disk, while it is
// killed (SIGKILL) and started again and connections are cut; then every key's history is judged
// (linear_checker.h). A round has keys of its own, so that a run of hours is judged as it goes.
//   edged-soak-linear [--edged PROGRAM] [--rounds N] [--seconds T] [--seed S] [--canary]
// Exit codes: 0 linearizable, 1 not (with --canary, which falsifies an answer: the other way
// round), 3 a history could not be judged, 4 the node did not start or answer.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/soak/linear_checker.h"
#include "tests/soak/linear_client.h"
#include "tests/soak/linear_node.h"
#include "tests/soak/linear_versions.h"
#include "tests/support/temp_dir.h"

namespace edged::soak {
namespace {

constexpr std::chrono::seconds kPatience{120};

using Histories = std::vector<std::vector<LinearOp>>;

struct Options {
  std::string edged;
  std::uint64_t rounds = 0;  // 0: until the time is over
  std::uint64_t seconds = 600;
  std::uint64_t seed = 0;
  std::size_t clients = 8;
  std::size_t keys = 4;
  std::uint64_t round_operations = 40'000;
  std::uint64_t life_operations_max = 8'000;  // from a start to the next kill
  bool canary = false;
};

struct Figures {
  std::uint64_t rounds = 0, kills = 0, operations = 0, unknown = 0;
  std::size_t most_configurations = 0;
};

// Waits until the clients have done `count` operations. A round is measured in operations and not
// in time, so that histories have the same shape on every machine. False if nothing happens for
// kPatience.
bool wait_for_operations(const LinearProgress& progress, std::uint64_t count) {
  using Clock = std::chrono::steady_clock;
  std::uint64_t seen = progress.operations.load();
  auto moved = Clock::now();
  while (seen < count) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    const std::uint64_t now = progress.operations.load();
    if (now != seen) {
      moved = Clock::now();
    } else if (Clock::now() - moved > kPatience) {
      return false;
    }
    seen = now;
  }
  return true;
}

// One round's node time: lives and kills until the operations are done. When each process was dead.
Result<std::vector<std::int64_t>> live_and_die(LinearNode& node,
                                               const Options& options,
                                               const LinearProgress& progress,
                                               std::mt19937_64& random) {
  std::vector<std::int64_t> deaths;
  std::uint64_t done = 0;
  while (done < options.round_operations) {
    done = progress.operations.load() + random() % options.life_operations_max;
    if (!wait_for_operations(progress, done)) {
      return Status(Code::kUnavailable, "the node did not answer any client for 120 s");
    }
    node.kill();
    deaths.push_back(linear_now());
    Status started = node.start();
    if (!started.ok()) return started;
  }
  return deaths;
}

// What was not answered can have taken effect only until the process it was sent to was dead.
void bound_by_deaths(std::vector<LinearOp>& history, const std::vector<std::int64_t>& deaths) {
  for (LinearOp& op : history) {
    if (op.answered) continue;
    const auto death = std::lower_bound(deaths.begin(), deaths.end(), op.invoked);
    op.returned = death == deaths.end() ? kNever : *death;
  }
}

// The clients' histories of each key together.
Histories merged(const std::vector<std::unique_ptr<LinearClient>>& clients, std::size_t keys) {
  Histories all(keys);
  for (const auto& client : clients) {
    for (std::size_t key = 0; key < keys; ++key) {
      const auto& part = client->histories()[key];
      all[key].insert(all[key].end(), part.begin(), part.end());
    }
  }
  return all;
}

// Makes the last read that found something find what was there a while before: a stale read.
void falsify(Histories& histories) {
  for (auto& history : histories) {
    std::sort(history.begin(), history.end(), [](const LinearOp& a, const LinearOp& b) {
      return a.invoked < b.invoked;
    });
    std::vector<LinearOp*> reads;
    for (LinearOp& op : history) {
      if (op.value_read != 0) reads.push_back(&op);
    }
    if (reads.size() < 100) continue;
    const LinearOp& old = *reads[reads.size() / 2];
    reads.back()->value_read = old.value_read;
    reads.back()->version = old.version;
    return;
  }
}

enum class Outcome { kFine, kBroken, kNotJudged, kNotRun };

struct RoundResult {
  Outcome outcome = Outcome::kFine;
  std::string why{};
};

RoundResult judge(const Histories& histories, Figures& figures) {
  std::vector<LinearOp> together;
  for (std::size_t key = 0; key < histories.size(); ++key) {
    const LinearVerdict verdict = judge_linear(histories[key]);
    figures.most_configurations =
        std::max(figures.most_configurations, verdict.most_configurations);
    const std::string why = "key " + std::to_string(key) + ": " + verdict.why;
    if (verdict.kind == LinearVerdict::Kind::kBroken) return {Outcome::kBroken, why};
    if (verdict.kind == LinearVerdict::Kind::kUndecided) return {Outcome::kNotJudged, why};
    figures.operations += histories[key].size();
    for (const LinearOp& op : histories[key]) figures.unknown += op.answered ? 0 : 1;
    together.insert(together.end(), histories[key].begin(), histories[key].end());
  }
  std::string why = judge_versions(std::move(together));
  if (!why.empty()) return {Outcome::kBroken, std::move(why)};
  return {};
}

RoundResult run_round(LinearNode& node,
                      const Options& options,
                      std::mt19937_64& random,
                      Figures& figures) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < options.keys; ++i) {
    keys.push_back("round-" + std::to_string(figures.rounds) + "-" + std::to_string(i));
  }
  std::vector<std::unique_ptr<LinearClient>> clients;
  std::vector<std::thread> threads;
  LinearProgress progress;
  for (std::size_t i = 0; i < options.clients; ++i) {
    clients.push_back(
        std::make_unique<LinearClient>(LinearClientOptions{node.socket_path(), keys, i, random()}));
    threads.emplace_back([&client = *clients.back(), &progress] { client.run(progress); });
  }
  const auto deaths = live_and_die(node, options, progress, random);
  progress.stop.store(true);
  if (!deaths) node.kill();  // no client waits for its answer
  for (std::thread& thread : threads) thread.join();
  if (!deaths) return {Outcome::kNotRun, deaths.error().to_string()};
  Histories histories = merged(clients, options.keys);
  for (auto& history : histories) bound_by_deaths(history, *deaths);
  if (options.canary) falsify(histories);
  figures.kills += deaths->size();
  ++figures.rounds;
  return judge(histories, figures);
}

void print(const Figures& figures, double seconds) {
  std::printf(
      "linear: %llu rounds, %llu kills, %llu operations, of %llu the outcome is unknown, "
      "%zu states at most, %.0f s\n",
      static_cast<unsigned long long>(figures.rounds),
      static_cast<unsigned long long>(figures.kills),
      static_cast<unsigned long long>(figures.operations),
      static_cast<unsigned long long>(figures.unknown),
      figures.most_configurations,
      seconds);
  std::fflush(stdout);
}

// The exit code.
int report(const RoundResult& result, bool canary) {
  switch (result.outcome) {
    case Outcome::kNotJudged:
      std::printf("NOT JUDGED (this says nothing about the node): %s\n", result.why.c_str());
      return 3;
    case Outcome::kNotRun:
      std::printf("NOT RUN: %s\n", result.why.c_str());
      return 4;
    case Outcome::kBroken:
      std::printf("BROKEN: %s\n", result.why.c_str());
      break;
    case Outcome::kFine:
      break;
  }
  const bool broken = result.outcome == Outcome::kBroken;
  if (canary) std::printf("the canary was %s\n", broken ? "found" : "MISSED");
  return broken == canary ? 0 : 1;
}

int run(const Options& options) {
  std::printf("edged-soak-linear --seed %llu --rounds %llu --seconds %llu%s\n",
              static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.rounds),
              static_cast<unsigned long long>(options.seconds),
              options.canary ? " --canary" : "");
  const test::TempDir directory;
  LinearNode node(options.edged, directory.path());
  Status started = node.start();
  if (!started.ok()) {
    return report({Outcome::kNotRun, started.to_string()}, options.canary);
  }
  std::mt19937_64 random(options.seed);
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  Figures figures;
  RoundResult result;
  double told = 0;
  while (result.outcome == Outcome::kFine &&
         (options.rounds == 0 || figures.rounds < options.rounds) &&
         seconds() < static_cast<double>(options.seconds)) {
    result = run_round(node, options, random, figures);
    if (seconds() - told < 30) continue;
    told = seconds();
    print(figures, told);
  }
  print(figures, seconds());
  return report(result, options.canary);
}

}  // namespace
}  // namespace edged::soak

int main(int argc, char** argv) {
  CLI::App app("Checks that a node stays linearizable while it is killed again and again");
  edged::soak::Options options;
  options.seed = std::random_device{}();
  options.edged = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "edged";
  app.add_option("--edged", options.edged, "The program; by default the one beside this one");
  app.add_option("--rounds", options.rounds, "Rounds to run; 0: until the time is over");
  app.add_option("--seconds", options.seconds, "Begin no round after this many seconds");
  app.add_option("--seed",
                 options.seed,
                 "Seed of the choices; the order of threads and kills differs in each run");
  app.add_option("--clients", options.clients)->check(CLI::Range(1, 32));
  app.add_option("--keys", options.keys)->check(CLI::Range(1, 100));
  app.add_option("--round-operations", options.round_operations, "Of all clients, in one round")
      ->check(CLI::PositiveNumber);
  app.add_option("--life-operations-max",
                 options.life_operations_max,
                 "Most operations from a start of the node to its next kill")
      ->check(CLI::PositiveNumber);
  app.add_flag(
      "--canary", options.canary, "Falsify an answer: the run fails if that goes unnoticed");
  CLI11_PARSE(app, argc, argv);
  return edged::soak::run(options);
}
