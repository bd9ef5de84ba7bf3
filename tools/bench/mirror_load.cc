// SPDX-License-Identifier: Apache-2.0
// edged-bench-mirror: one load on a PostgreSQL table whose rows a node has, its figures as one JSON
// object. tools/bench/mirror runs it. PostgreSQL is the one that libpq's environment names.
//   edged-bench-mirror follow --table T --prefix P --ns NS --address A [--address B] [...]
//       rows that a mirror brings to the nodes A and B
//   edged-bench-mirror both|fill --table T --prefix P --ns NS --address A [...]
//       rows that the application brings to the node A itself: see mirror_writer.h
//   edged-bench-mirror copy --table T
//       reads the table with COPY and drops it
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "tools/bench/mirror_postgres.h"
#include "tools/bench/mirror_writer.h"

namespace edged::bench {
namespace {

struct Options {
  WritePlan plan;
  std::vector<std::string> addresses;
  std::string ns;
  std::int64_t milliseconds = 2'000, warm_up_ms = 300, pause_us = 0;
  unsigned lanes = 1;
};

int fail(const Status& status) {
  std::fprintf(stderr, "error: %s\n", status.to_string().c_str());
  return 1;
}

void print(const Options& options, const Written& written) {
  const auto transactions = static_cast<unsigned long long>(written.transactions);
  std::printf(
      "{\"transactions\":%llu,\"rows\":%llu,\"late\":%llu,\"questions\":%llu,\"seconds\":%.6f,"
      "\"caught_up_seconds\":%.6f,\"latencies_us\":[",
      transactions,
      transactions * static_cast<unsigned long long>(options.plan.rows),
      static_cast<unsigned long long>(written.late),
      static_cast<unsigned long long>(written.questions),
      written.seconds,
      written.caught_up_seconds);
  for (std::size_t node = 0; node < written.latencies.size(); ++node) {
    std::printf(node == 0 ? "[" : ",[");
    const auto& latencies = written.latencies[node];
    for (std::size_t i = 0; i < latencies.size(); ++i) {
      std::printf(i == 0 ? "%.1f" : ",%.1f", static_cast<double>(latencies[i].count()) / 1e3);
    }
    std::printf("]");
  }
  std::printf("]}\n");
}

int write(Options& options, const std::string& how) {
  options.plan.duration = std::chrono::milliseconds(options.milliseconds);
  options.plan.warm_up = std::chrono::milliseconds(options.warm_up_ms);
  std::vector<Node> nodes;
  for (const std::string& address : options.addresses) nodes.push_back({address, options.ns});
  const std::chrono::microseconds pause(options.pause_us);
  const Result<Written> written =
      how == "follow"
          ? write_mirrored(options.plan, nodes, options.lanes, pause)
          : write_aside(options.plan, nodes[0], how == "both" ? Aside::kBoth : Aside::kFill);
  if (!written) return fail(written.error());
  print(options, *written);
  return 0;
}

int copy(const std::string& table) {
  const auto postgres = Postgres::connect();
  if (!postgres) return fail(postgres.error());
  const auto begin = std::chrono::steady_clock::now();
  const auto copied = (*postgres)->copy_out("copy " + table + " to stdout");
  if (!copied) return fail(copied.error());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("{\"rows\":%llu,\"bytes\":%llu,\"seconds\":%.6f}\n",
              static_cast<unsigned long long>(copied->rows),
              static_cast<unsigned long long>(copied->bytes),
              took.count());
  return 0;
}

int main_of(int argc, char** argv) {
  CLI::App app("Changes rows that a node has, and waits until they are there");
  app.require_subcommand(1);
  Options options;
  for (const char* name : {"follow", "both", "fill"}) {
    CLI::App* command = app.add_subcommand(name);
    command->add_option("--table", options.plan.table)->required();
    command->add_option("--prefix", options.plan.prefix)->required();
    command->add_option("--ns", options.ns)->required();
    CLI::Option* address =
        command->add_option("--address", options.addresses, "127.0.0.1:PORT or unix:PATH");
    address->required();
    command->add_option("--ids", options.plan.ids)->check(CLI::PositiveNumber);
    command->add_option("--rate", options.plan.rate, "Transactions a second; 0: all that go")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--ms", options.milliseconds)->check(CLI::PositiveNumber);
    command->add_option("--warm-up-ms", options.warm_up_ms)->check(CLI::NonNegativeNumber);
    command->add_option("--seed", options.plan.seed);
    if (std::string(name) != "follow") continue;
    command->add_option("--rows", options.plan.rows, "Of a transaction")
        ->check(CLI::PositiveNumber);
    command->add_option("--lanes", options.lanes, "Connections")->check(CLI::Range(1, 16));
    command->add_option("--pause-us", options.pause_us, "Between two questions")
        ->check(CLI::NonNegativeNumber);
  }
  CLI::App* copy_command = app.add_subcommand("copy");
  copy_command->add_option("--table", options.plan.table)->required();
  CLI11_PARSE(app, argc, argv);
  if (copy_command->parsed()) return copy(options.plan.table);
  return write(options, app.get_subcommands().front()->get_name());
}

}  // namespace
}  // namespace edged::bench

int main(int argc, char** argv) {
  return edged::bench::main_of(argc, argv);
}
