// SPDX-License-Identifier: Apache-2.0
// edged-fuzz: runs the targets of targets.h with any compiler. Inputs are mutations of the target's
// seeds; input number N of a seed is always the same, so a failure is repeated by number. It learns
// nothing from what it sees: that is libFuzzer's part (tools/soak fuzz).
//   edged-fuzz TARGET [--iterations N] [--seed S] [--from N]    mutations
//   edged-fuzz TARGET --file FILE...                            those inputs, as libFuzzer left
//   them edged-fuzz TARGET --write-seeds DIRECTORY                   what to start from, a file
//   each
// Exit code 1 if a promise was broken; the last line says how to repeat that input.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "proto/base/log.h"
#include "tests/fuzz/targets.h"

namespace edged::fuzz {
namespace {

std::array<char, 256> again{};  // how to repeat the input that is running

void on_abort(int /*signal*/) {
  const std::string_view text(again.data());
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(1);
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& seeds, std::uint64_t seed, std::uint64_t number)
      : seeds_(seeds), random_(seed * 1'000'003 + number) {}

  std::string next() {
    std::string input = seeds_[pick(seeds_.size())];
    for (std::size_t i = 1 + pick(6); i > 0; --i) change(input);
    return input;
  }

 private:
  std::size_t pick(std::size_t count) { return count == 0 ? 0 : random_() % count; }
  char byte() { return static_cast<char>(random_()); }

  void change(std::string& input) {
    static constexpr std::uint32_t kNumbers[] = {
        0,   1,   2,   3,   4,   7,    8,     12,    16,         24,        127,
        128, 255, 256, 512, 513, 4096, 65535, 65536, 0x7fffffff, 0xffffffff};
    const std::size_t at = pick(input.size() + 1);
    const std::size_t count = 1 + pick(pick(8) == 0 ? 300 : 8);
    switch (pick(8)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << pick(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = byte();
        break;
      case 2:
        input.insert(at, count, pick(2) == 0 ? byte() : '\0');
        break;
      case 3:
        input.erase(at, count);
        break;
      case 4:
        input.insert(at, std::string(input.substr(at, count)));
        break;
      case 5:
        input.resize(at);
        break;
      case 6: {
        const std::string& other = seeds_[pick(seeds_.size())];
        input.insert(at, other.substr(pick(other.size() + 1), count * 8));
        break;
      }
      default: {
        const std::uint32_t number = kNumbers[pick(std::size(kNumbers))];
        const std::size_t bytes = std::size_t{1} << pick(3);
        for (std::size_t i = 0; i < bytes && at + i < input.size(); ++i) {
          input[at + i] = static_cast<char>(number >> (8 * i));
        }
      }
    }
  }

  const std::vector<std::string>& seeds_;
  std::mt19937_64 random_;
};

struct Options {
  std::string target;
  std::uint64_t iterations = 100'000, seed = 1, from = 0;
  std::vector<std::string> files;
  std::string directory;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_seeds(const Target& target, const std::string& directory) {
  std::filesystem::create_directories(directory);
  std::size_t number = 0;
  for (const std::string& input : target.seeds()) {
    std::ofstream(directory + "/seed-" + std::to_string(number++), std::ios::binary) << input;
  }
}

void run_mutations(const Target& target, const Options& options) {
  const std::vector<std::string> seeds = target.seeds();
  for (const std::string& input : seeds) target.run(input);
  for (std::uint64_t number = options.from; number < options.from + options.iterations; ++number) {
    std::snprintf(again.data(),
                  again.size(),
                  "again: edged-fuzz %s --seed %llu --from %llu --iterations 1\n",
                  target.name,
                  static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(number));
    target.run(Mutator(seeds, options.seed, number).next());
  }
  std::printf("%s: %zu seeds, %llu mutations of seed %llu, nothing broken\n",
              target.name,
              seeds.size(),
              static_cast<unsigned long long>(options.iterations),
              static_cast<unsigned long long>(options.seed));
}

int run(int argc, char** argv) {
  CLI::App app("Runs a fuzz target on mutations of its seeds");
  Options options;
  app.add_option("target", options.target, "Which one")->required();
  app.add_option("--iterations", options.iterations);
  app.add_option("--seed", options.seed);
  app.add_option("--from", options.from, "Number of the first input");
  app.add_option("--file", options.files, "Run these inputs instead");
  app.add_option("--write-seeds", options.directory, "Write what to start from, and end");
  CLI11_PARSE(app, argc, argv);
  const Target* target = find_target(options.target);
  if (target == nullptr) {
    std::fprintf(stderr, "error: there is no target \"%s\". There are:", options.target.c_str());
    for (const Target& one : targets()) std::fprintf(stderr, " %s", one.name);
    std::fprintf(stderr, "\n");
    return 2;
  }
  log::set_level(log::Level::kOff);
  std::signal(SIGABRT, on_abort);
  if (!options.directory.empty()) {
    write_seeds(*target, options.directory);
  } else if (!options.files.empty()) {
    for (const std::string& path : options.files) target->run(read_file(path));
  } else {
    run_mutations(*target, options);
  }
  return 0;
}

}  // namespace
}  // namespace edged::fuzz

int main(int argc, char** argv) {
  return edged::fuzz::run(argc, argv);
}
