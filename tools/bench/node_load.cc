// SPDX-License-Identifier: Apache-2.0
// edged-bench-load: one load on one server, its figures as one JSON object. tools/bench/node runs
// it against edged and its peers in turn.
//   edged-bench-load run  --address A --protocol kvb|resp|echo [...]   asks for some seconds
//   edged-bench-load fill --address A --protocol kvb|resp --keys N     puts every key once
//   edged-bench-load hold --address A --protocol kvb|resp --connections N
//       opens connections, says "held N", and keeps them until its standard input ends
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "tools/bench/load_loop.h"

namespace edged::bench {
namespace {

struct Options {
  std::string protocol = "kvb";
  LoadOptions load;
  DialectOptions dialect;
  KeysOptions keys;
  std::int64_t milliseconds = 2000, warm_up_ms = 300;
};

Result<Dialect> make_dialect(Options& options) {
  if (options.protocol == "resp") return resp_dialect(options.dialect);
  if (options.protocol == "echo") return echo_dialect(options.dialect);
  auto socket = connect_to(options.load.address);
  if (!socket) return socket.error();
  const auto ns = open_bench_namespace(*socket);
  ::close(*socket);
  if (!ns) return ns.error();
  options.dialect.ns = *ns;
  return kvb_dialect(options.dialect);
}

void print_latencies(const char* name, const Latencies& latencies) {
  const auto micros = [&](double q) { return static_cast<double>(latencies.quantile(q)) / 1e3; };
  std::printf(",\"%s\":{\"count\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}",
              name,
              static_cast<unsigned long long>(latencies.count()),
              micros(0.5),
              micros(0.99),
              micros(0.999));
}

int run(Options& options, const Dialect& dialect) {
  options.load.duration = std::chrono::milliseconds(options.milliseconds);
  options.load.warm_up = std::chrono::milliseconds(options.warm_up_ms);
  Keys keys(options.keys);
  const auto result = run_load(options.load, dialect, keys);
  if (!result) {
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    return 1;
  }
  std::printf(
      "{\"requests\":%llu,\"failed\":%llu,\"seconds\":%.6f,\"server_cpu_seconds\":%.2f,"
      "\"generator_cpu_seconds\":%.2f",
      static_cast<unsigned long long>(result->requests),
      static_cast<unsigned long long>(result->failed),
      result->seconds,
      result->server_cpu_seconds,
      result->own_cpu_seconds);
  print_latencies("gets", result->gets);
  print_latencies("puts", result->puts);
  std::printf("}\n");
  return result->failed == 0 ? 0 : 1;
}

int hold(const Options& options, const Dialect& dialect) {
  const rlimit files{options.load.connections + 100, options.load.connections + 100};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) {
    std::fprintf(stderr, "error: could not have so many files open: it takes root\n");
    return 1;
  }
  std::vector<int> sockets;  // closed by the kernel when the process ends
  while (sockets.size() < options.load.connections) {
    const auto socket = connect_to(options.load.address);
    const Status greeted = socket ? greet(*socket, dialect) : socket.error();
    if (!greeted.ok()) {
      std::fprintf(
          stderr, "error: %zu are open: %s\n", sockets.size(), greeted.to_string().c_str());
      return 1;
    }
    sockets.push_back(*socket);
  }
  std::printf("held %zu\n", sockets.size());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

int main_of(int argc, char** argv) {
  CLI::App app("Asks a server as fast as it answers, or at a rate");
  app.require_subcommand(1);
  Options options;
  const auto common = [&options](CLI::App* command) {
    command->add_option("--address", options.load.address, "127.0.0.1:PORT or unix:PATH")
        ->required();
    command->add_option("--protocol", options.protocol)
        ->check(CLI::IsMember({"kvb", "resp", "echo"}));
    command->add_option("--connections", options.load.connections)->check(CLI::PositiveNumber);
    command->add_option("--pipeline", options.load.pipeline)->check(CLI::Range(1, 1000));
    command->add_option("--keys", options.keys.keys)->check(CLI::PositiveNumber);
    command->add_option("--value-bytes", options.dialect.value_bytes);
    command->add_option("--ttl-ms", options.dialect.ttl_ms);
    return command;
  };
  CLI::App* run_command = common(app.add_subcommand("run", "Asks for some seconds"));
  run_command->add_option("--ms", options.milliseconds)->check(CLI::PositiveNumber);
  run_command->add_option("--warm-up-ms", options.warm_up_ms)->check(CLI::NonNegativeNumber);
  run_command->add_option("--zipf", options.keys.zipf);
  run_command->add_option("--put-percent", options.keys.put_percent)->check(CLI::Range(0, 100));
  run_command->add_option("--put-offset", options.keys.put_offset, "Puts go to other keys");
  run_command->add_option("--seed", options.keys.seed);
  run_command->add_flag(
      "--sync", options.dialect.sync, "KVB/1: puts are on disk before the answer");
  run_command->add_option("--echo-bytes", options.dialect.echo_bytes, "Of an echo request")
      ->check(CLI::Range(kKeyBytes, std::size_t{1} << 20));
  run_command->add_option("--rate", options.load.rate, "Requests a second; 0: as fast as it goes");
  run_command->add_flag("--sleeps", options.load.sleeps, "Leaves its core to others; with --rate");
  run_command->add_option("--server-pid", options.load.server_pid);
  CLI::App* fill_command = common(app.add_subcommand("fill", "Puts every key once"));
  CLI::App* hold_command = common(app.add_subcommand("hold", "Keeps connections open"));
  CLI11_PARSE(app, argc, argv);

  auto dialect = make_dialect(options);
  if (!dialect) {
    std::fprintf(stderr, "error: %s\n", dialect.error().to_string().c_str());
    return 1;
  }
  if (hold_command->parsed()) return hold(options, *dialect);
  if (fill_command->parsed()) {
    options.keys.fill = true;
    options.milliseconds = 3'600'000;
    options.warm_up_ms = 0;
  }
  return run(options, *dialect);
}

}  // namespace
}  // namespace edged::bench

int main(int argc, char** argv) {
  return edged::bench::main_of(argc, argv);
}
