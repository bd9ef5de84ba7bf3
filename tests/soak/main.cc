// SPDX-License-Identifier: Apache-2.0
// edged-soak: programs that try to break the promises of the store for as long as they are let.
// Exit codes: 0 kept, 1 broken (with --canary: the other way round), 2 usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <random>

#include "kvstore/storage/rocks_store.h"
#include "tests/soak/soak.h"
#include "tests/support/temp_dir.h"

namespace edged::soak {
namespace {

struct Program {
  const char* name;
  const char* what;
  SoakResult (*run)(const SoakOptions&);
  std::uint64_t cycles;  // unless given
};

constexpr Program kPrograms[] = {
    {"kill", "A writer is killed at a random moment", run_kill, 10'000},
    {"power", "The power goes at a random file operation", run_power, 5'000},
    {"model",
     "Random operations against a map; --cycles counts operations",
     run_model,
     100'000'000},
    {"damage", "Every byte of a log flipped, every length cut", run_damage, 0},
};

int run(const Program& program, SoakOptions options, bool keep) {
  const std::string again = std::string("edged-soak ") + program.name + " --seed " +
                            std::to_string(options.seed) + " --cycles " +
                            std::to_string(options.cycles) + (options.canary ? " --canary" : "");
  std::printf("%s\n", again.c_str());
  std::fflush(stdout);
  SoakResult result;
  {
    const test::TempDir directory;
    options.directory = directory.path();
    result = program.run(options);
    if (!result.failure.empty() && keep) {
      const std::string kept = "edged-soak-" + std::to_string(options.seed);
      std::filesystem::copy(options.directory, kept, std::filesystem::copy_options::recursive);
      std::printf("the directory is kept in %s\n", kept.c_str());
    }
  }
  const bool broken = !result.failure.empty();
  if (broken) std::printf("BROKEN: %s\nagain: %s\n", result.failure.c_str(), again.c_str());
  std::printf("%s: %s, 0 promises broken%s\n",
              program.name,
              result.summary.c_str(),
              broken ? " before this one" : "");
  if (options.canary) std::printf("the canary was %s\n", broken ? "found" : "MISSED");
  return broken != options.canary;
}

}  // namespace
}  // namespace edged::soak

int main(int argc, char** argv) {
  CLI::App app("Tries to break the promises of the store");
  app.require_subcommand(1);
  edged::soak::SoakOptions options;
  options.seed = std::random_device{}();
  std::uint64_t seconds = 0;
  bool keep = false;
  int exit_code = 0;
  for (const auto& program : edged::soak::kPrograms) {
    CLI::App* command = app.add_subcommand(program.name, program.what);
    auto* cycles = command->add_option("--cycles", options.cycles, "How many; 0: all there are");
    command->add_option("--seed", options.seed, "Of a run to be repeated");
    command->add_option("--seconds", seconds, "Stop after so many");
    command->add_flag("--canary", options.canary, "Break a promise: the run must notice");
    command->add_flag("--keep", keep, "Copy the directory of a failure here");
    command->callback([&, cycles, program] {
      if (cycles->count() == 0) options.cycles = program.cycles;
      options.time_limit = std::chrono::seconds(seconds);
      exit_code = edged::soak::run(program, options, keep);
    });
  }
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
