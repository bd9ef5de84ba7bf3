// SPDX-License-Identifier: Apache-2.0
// edged-soak-mirror: writers change tables of a PostgreSQL, a worker mirrors them into a node,
// readers read there, and everything that can happen to the three happens. Every answer is judged
// (mirror_oracle.h), and after every few events the node is compared with the tables.
//   edged-soak-mirror [--edged PROGRAM] [--seconds T] [--cycles N] [--seed S] [--only EVENT]
//                     [--canary]
// Exit codes: 0 every promise kept, 1 not (with --canary, which compares with a row that is not
// there: the other way round).
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "tests/soak/mirror_chaos.h"
#include "tests/soak/mirror_compare.h"
#include "tests/soak/mirror_reader.h"
#include "tests/soak/mirror_run.h"
#include "tests/soak/mirror_world.h"
#include "tests/soak/mirror_writer.h"

namespace edged::soak {
namespace {

constexpr std::size_t kReaders = 2;

struct Options {
  std::string edged;
  std::uint64_t cycles = 0;  // 0: until the time is over
  std::uint64_t seconds = 600;
  std::uint64_t seed = 0;
  std::string only;
  bool canary = false;
};

std::string pairs(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += (text.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(count);
  }
  return "{" + text + "}";
}

class Soak {
 public:
  Soak(const Options& options, std::string directory)
      : options_(options),
        random_(options.seed),
        directory_(std::move(directory)),
        world_(options.edged, directory_),
        chaos_(world_, run_, random_(), options.only) {}

  Status run() {
    run_.sql_url = world_.sql_url();
    run_.node_address = world_.node_address();
    run_.ns = MirrorWorld::kNamespace;
    Status status = world_.prepare();
    if (!status.ok()) return status;
    world_.worker.start();
    start_threads();
    while (status.ok() && !over()) status = cycle();
    run_.stop.store(true);
    for (std::thread& thread : threads_) thread.join();
    return status;
  }

  void print_total() const {
    const Figures& f = run_.figures;
    std::map<std::string, std::uint64_t> reasons;
    for (const std::string& line : world_.worker.log_lines("loading 3 tables: ")) ++reasons[line];
    const std::map<std::string, std::uint64_t> figures = {
        {"cycles", cycles_},
        {"seconds", static_cast<std::uint64_t>(seconds())},
        {"reads", f.reads},
        {"reads_judged", f.judged},
        {"reads_bounded", f.bounded},
        {"reads_by_position", f.positions},
        {"stale", f.stale},
        {"reads_failed", f.failed},
        {"transactions", f.transactions},
        {"rows", f.rows},
        {"large_transactions", f.large},
        {"truncates", f.truncates},
        {"rollbacks", f.rollbacks},
        {"unknown_outcomes", f.unknown},
        {"refused", f.refused},
        {"violations", f.violations}};
    std::printf("{\"seed\": %llu, \"figures\": %s,\n \"events\": %s,\n \"loads\": %s}\n",
                static_cast<unsigned long long>(options_.seed),
                pairs(figures).c_str(),
                pairs(chaos_.events()).c_str(),
                pairs(reasons).c_str());
    std::fflush(stdout);
  }

  std::uint64_t violations() const { return run_.figures.violations.load(); }

 private:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }
  bool over() const {
    return (options_.cycles != 0 && cycles_ >= options_.cycles) ||
           seconds() >= static_cast<double>(options_.seconds);
  }

  void start_threads() {
    for (std::size_t i = 0; i < MirrorWriter::kWriters; ++i) {
      writers_.push_back(std::make_unique<MirrorWriter>(run_, i, random_()));
      threads_.emplace_back([writer = writers_.back().get()] { writer->run(); });
    }
    for (std::size_t i = 0; i < kReaders; ++i) {
      readers_.push_back(std::make_unique<MirrorReader>(run_, random_()));
      threads_.emplace_back([reader = readers_.back().get()] { reader->run(); });
    }
  }

  // A few events, then rest.
  Status cycle() {
    const std::uint64_t events = 3 + random_() % 3;
    for (std::uint64_t i = 0; i < events; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1000 + random_() % 2000));
      const Status struck = chaos_.strike();
      if (!struck.ok()) return struck;
      if (world_.worker.ended()) return {Code::kUnavailable, "the worker ended by itself"};
    }
    run_.writers.close();
    const Comparison compared = compare(world_, run_, options_.canary);
    run_.writers.open();
    ++cycles_;
    const Figures& f = run_.figures;
    std::printf(
        "cycle %llu: %.0f s, %llu keys equal after %lld ms, %llu transactions, %llu reads, %llu "
        "judged, %llu stale, %llu violations\n",
        static_cast<unsigned long long>(cycles_),
        seconds(),
        static_cast<unsigned long long>(compared.keys),
        static_cast<long long>(compared.waited.count()),
        static_cast<unsigned long long>(f.transactions.load()),
        static_cast<unsigned long long>(f.reads.load()),
        static_cast<unsigned long long>(f.judged.load()),
        static_cast<unsigned long long>(f.stale.load()),
        static_cast<unsigned long long>(f.violations.load()));
    std::fflush(stdout);
    return {};
  }

  const Options options_;
  std::mt19937_64 random_;
  const std::string directory_;
  MirrorRun run_;
  MirrorWorld world_;
  MirrorChaos chaos_;
  std::vector<std::unique_ptr<MirrorWriter>> writers_;
  std::vector<std::unique_ptr<MirrorReader>> readers_;
  std::vector<std::thread> threads_;
  std::uint64_t cycles_ = 0;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

int run(const Options& options) {
  std::printf("edged-soak-mirror --seed %llu --cycles %llu --seconds %llu%s\n",
              static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.cycles),
              static_cast<unsigned long long>(options.seconds),
              options.canary ? " --canary" : "");
  std::fflush(stdout);
  std::string directory = (std::filesystem::temp_directory_path() / "edged-mirror-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    std::fprintf(stderr, "error: could not make a directory\n");
    return 1;
  }
  bool broken = false;
  {
    Soak soak(options, directory);
    const Status status = soak.run();
    soak.print_total();
    if (!status.ok()) std::printf("BROKEN: %s\n", status.to_string().c_str());
    broken = !status.ok() || soak.violations() != 0;
  }
  if (options.canary) std::printf("the canary was %s\n", broken ? "found" : "MISSED");
  if (broken && !options.canary) {
    std::printf("configuration, logs and the node's data are kept in %s\n", directory.c_str());
  } else {
    std::filesystem::remove_all(directory);
  }
  return broken != options.canary;
}

}  // namespace
}  // namespace edged::soak

int main(int argc, char** argv) {
  CLI::App app("Is the node's copy of PostgreSQL's tables what it says, whatever happens?");
  edged::soak::Options options;
  options.seed = std::random_device{}();
  options.edged = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "edged";
  app.add_option("--edged", options.edged, "The program; default: the one beside this one");
  app.add_option("--cycles", options.cycles, "How many; 0: until the time is over");
  app.add_option("--seconds", options.seconds, "Stop after so many");
  app.add_option("--seed", options.seed, "Of the choices; threads and kills differ all the same");
  app.add_option("--only", options.only, "The only event: kill_node, restore, ...")
      ->check([](const std::string& name) {
        return edged::soak::MirrorChaos::is_event(name) ? "" : "there is no such event";
      });
  app.add_flag(
      "--canary", options.canary, "Compare with a row that is not there: it must be noticed");
  CLI11_PARSE(app, argc, argv);
  return edged::soak::run(options);
}
