// SPDX-License-Identifier: Apache-2.0
// The load generator's one loop, the same for every protocol: epoll, one read and one write per
// wake-up of a connection. Closed: each connection keeps `pipeline` requests under way. Open: with
// a rate, requests start at random (Poisson) moments whether or not others are answered; their
// latency counts from the moment they should have started. One thread, which never sleeps: it must
// have a core of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "proto/base/status.h"
#include "tools/bench/latencies.h"
#include "tools/bench/load_dialect.h"
#include "tools/bench/load_keys.h"

namespace edged::bench {

struct LoadOptions {
  std::string address{};  // "127.0.0.1:4780" or "unix:/path"
  std::size_t connections = 50;
  std::size_t pipeline = 1;
  std::chrono::milliseconds warm_up{300};
  std::chrono::milliseconds duration{2000};
  double rate = 0;       // requests a second; 0: closed
  bool sleeps = false;   // between requests, instead of looking again and again; with a rate
  pid_t server_pid = 0;  // whose CPU time is read
};

struct LoadResult {
  std::uint64_t requests = 0;  // answered while it was measured
  std::uint64_t failed = 0;    // of those
  double seconds = 0;
  double server_cpu_seconds = 0;
  double own_cpu_seconds = 0;
  Latencies gets, puts;
};

// Ends early when `keys` has no more operations. Errors: kUnavailable (connecting, or a connection
// ended).
Result<LoadResult> run_load(const LoadOptions& options, const Dialect& dialect, Keys& keys);

// A connected, blocking socket. Errors: kUnavailable, kInvalidArgument.
Result<int> connect_to(const std::string& address);
// Sends the greeting and reads the answer. Errors: kUnavailable.
Status greet(int socket, const Dialect& dialect);

}  // namespace edged::bench
