// SPDX-License-Identifier: Apache-2.0
// edged-bench-load: one load on one server, its figures as one JSON object. tools/bench/compare and
// others run it against edged and its peers in turn.
//   edged-bench-load run  --address A --protocol kvb|resp|echo [...]   asks for some seconds
//   edged-bench-load fill --address A --protocol kvb|resp --keys N     puts every key once
//   edged-bench-load read --address A --protocol kvb|resp --keys N     gets every key once
//   edged-bench-load hold --address A --protocol kvb|resp --connections N
//       opens connections, says "held N", and keeps them until its standard input ends
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
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

Result<std::unique_ptr<Dialect>> make_dialect(Options& options, const Keys& keys) {
  if (options.protocol == "resp") return resp_dialect(options.dialect, keys);
  if (options.protocol == "echo") return echo_dialect(options.dialect, keys);
  auto socket = connect_to(options.load.address);
  if (!socket) return socket.error();
  const auto ns = open_bench_namespace(*socket);
  ::close(*socket);
  if (!ns) return ns.error();
  options.dialect.ns = *ns;
  return kvb_dialect(options.dialect, keys);
}

void print_latencies(const char* name, const Latencies& latencies) {
  const auto micros = [](std::uint64_t nanos) { return static_cast<double>(nanos) / 1e3; };
  std::printf(
      ",\"%s\":{\"count\":%llu,\"mean_us\":%.2f,\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,"
      "\"p999_us\":%.2f,\"p9999_us\":%.2f,\"max_us\":%.2f}",
      name,
      static_cast<unsigned long long>(latencies.count()),
      latencies.mean() / 1e3,
      micros(latencies.quantile(0.5)),
      micros(latencies.quantile(0.9)),
      micros(latencies.quantile(0.99)),
      micros(latencies.quantile(0.999)),
      micros(latencies.quantile(0.9999)),
      micros(latencies.max()));
}

int run(Options& options, const Dialect& dialect, Keys& keys) {
  options.load.duration = std::chrono::milliseconds(options.milliseconds);
  options.load.warm_up = std::chrono::milliseconds(options.warm_up_ms);
  const auto result = run_load(options.load, dialect, keys);
  if (!result) {
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    return 1;
  }
  std::printf(
      "{\"operations\":%llu,\"items\":%llu,\"wrong\":%llu,\"seconds\":%.6f,"
      "\"server_cpu_seconds\":%.2f,\"generator_cpu_seconds\":%.2f",
      static_cast<unsigned long long>(result->operations),
      static_cast<unsigned long long>(result->items),
      static_cast<unsigned long long>(result->wrong),
      result->seconds,
      result->server_cpu_seconds,
      result->own_cpu_seconds);
  print_latencies("reads", result->reads);
  print_latencies("writes", result->writes);
  std::printf("}\n");
  if (result->wrong == 0) return 0;
  std::fprintf(stderr,
               "error: %llu answers were wrong; the first begins with ",
               static_cast<unsigned long long>(result->wrong));
  for (const char byte : result->first_wrong) {
    const bool plain = byte >= ' ' && byte <= '~';
    std::fprintf(stderr, plain ? "%c" : "\\x%02x", plain ? byte : static_cast<unsigned char>(byte));
  }
  std::fprintf(stderr, "\n");
  return 1;
}

// So many files, if the limits allow it; a connection that cannot be opened says so.
void allow_files(std::size_t connections) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t wanted = connections + 100;
  if (files.rlim_cur >= wanted) return;
  files.rlim_cur = wanted;
  files.rlim_max = std::max(files.rlim_max, wanted);
  ::setrlimit(RLIMIT_NOFILE, &files);
}

int hold(const Options& options, const Dialect& dialect) {
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

void add_common(CLI::App& command, Options& options) {
  command.add_option("--address", options.load.address, "127.0.0.1:PORT or unix:PATH")->required();
  command.add_option("--protocol", options.protocol)
      ->check(CLI::IsMember({"kvb", "resp", "echo"}))
      ->capture_default_str();
  command.add_option("--connections", options.load.connections)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--pipeline", options.load.pipeline, "Operations under way on each")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--keys", options.keys.keys)
      ->check(CLI::Range(std::uint64_t{1}, kKeysMax))
      ->capture_default_str();
  command.add_option("--value-bytes", options.dialect.value_bytes)
      ->check(CLI::Range(std::size_t{0}, std::size_t{1} << 20))
      ->capture_default_str();
  command.add_option("--ttl-ms", options.dialect.ttl_ms, "Of puts; 0: none");
}

void add_run(CLI::App& command, Options& options) {
  command.add_option("--work", options.dialect.work, "keys: GET and PUT; mget; list: pages")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Work>{
          {"keys", Work::kKeys}, {"mget", Work::kMultiGet}, {"list", Work::kList}}));
  command.add_option("--items", options.dialect.items, "Of an mget or a page")
      ->check(CLI::Range(1, 1000));
  command.add_option("--ms", options.milliseconds, "How long is measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--warm-up-ms", options.warm_up_ms)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--operations", options.load.operations, "Ends after so many; 0: by time");
  command.add_flag(
      "--in-steps", options.load.in_steps, "A connection asks again when all was answered");
  command.add_option("--zipf", options.keys.zipf, "Exponent; 0: uniform")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--put-percent", options.keys.put_percent)->check(CLI::Range(0, 100));
  command.add_option("--put-value-bytes", options.dialect.put_value_bytes, "0: --value-bytes")
      ->check(CLI::Range(std::size_t{0}, std::size_t{1} << 20));
  command.add_option("--put-offset", options.keys.put_offset, "Puts go to other keys");
  command.add_option("--seed", options.keys.seed);
  command.add_flag("--sync", options.dialect.sync, "KVB/1: puts are on disk before the answer");
  command.add_option("--rate", options.load.rate, "Operations a second; 0: as fast as it goes")
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--sleeps", options.load.sleeps, "Leaves its core to others when idle");
  command.add_option("--server-pid", options.load.server_pid, "Whose CPU time is read");
}

int main_of(int argc, char** argv) {
  CLI::App app("Asks a server as fast as it answers, or at a rate, and verifies the answers");
  app.require_subcommand(1);
  Options options;
  CLI::App* run_command = app.add_subcommand("run", "Asks for some seconds");
  CLI::App* fill_command = app.add_subcommand("fill", "Puts every key once");
  CLI::App* read_command = app.add_subcommand("read", "Gets every key once");
  CLI::App* hold_command = app.add_subcommand("hold", "Keeps connections open");
  for (CLI::App* command : {run_command, fill_command, read_command, hold_command}) {
    add_common(*command, options);
  }
  add_run(*run_command, options);
  for (CLI::App* command : {fill_command, read_command}) {
    command->add_option("--first", options.keys.first, "The first key's number");
  }
  CLI11_PARSE(app, argc, argv);
  if (options.protocol == "echo" && options.dialect.work == Work::kList) {
    std::fprintf(stderr, "error: an echo has no pages\n");
    return 1;
  }
  if (fill_command->parsed() || read_command->parsed()) {
    options.keys.sweep = true;
    options.keys.put_percent = fill_command->parsed() ? 100 : 0;
    options.milliseconds = 3'600'000;
    options.warm_up_ms = 0;
  }
  if (hold_command->parsed()) options.keys.draws = 1;
  if (options.load.operations > 0) {
    const std::uint64_t keys = options.load.operations * options.dialect.items;
    options.keys.draws = std::min<std::uint64_t>(options.keys.draws, keys);
  }
  allow_files(options.load.connections);
  Keys keys(options.keys);
  auto dialect = make_dialect(options, keys);
  if (!dialect) {
    std::fprintf(stderr, "error: %s\n", dialect.error().to_string().c_str());
    return 1;
  }
  return hold_command->parsed() ? hold(options, **dialect) : run(options, **dialect, keys);
}

}  // namespace
}  // namespace edged::bench

int main(int argc, char** argv) {
  return edged::bench::main_of(argc, argv);
}
