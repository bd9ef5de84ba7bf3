// SPDX-License-Identifier: Apache-2.0
// The load generator's one loop, the same for every protocol: epoll, one read and one write per
// wake-up of a connection. Closed: each connection keeps `pipeline` operations under way. Open:
// with a rate, operations start at random (Poisson) moments whether or not others are answered;
// their latency counts from the moment they should have started, so a server that stalls is charged
// for all that waited. One thread, which never sleeps unless told to: it must have a core of its
// own.
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
  std::uint64_t operations = 0;  // ends when so many were answered; 0: only by time
  bool in_steps = false;         // a connection asks again when all that it asked was answered
  double rate = 0;               // operations a second; 0: closed
  bool sleeps = false;           // when there is nothing to do, instead of looking again
  pid_t server_pid = 0;          // whose CPU time is read
};

struct LoadResult {
  std::uint64_t operations = 0;  // answered while it was measured
  std::uint64_t items = 0;       // entries in those answers
  std::uint64_t wrong = 0;       // of the operations: refused, absent, or not the key's value
  std::string first_wrong{};     // the front of such an answer
  double seconds = 0;
  double server_cpu_seconds = 0;
  double own_cpu_seconds = 0;
  Latencies reads, writes;
};

// Ends early when `keys` is exhausted. Errors: kUnavailable (connecting, or a connection ended, or
// what came was no answer).
Result<LoadResult> run_load(const LoadOptions& options, const Dialect& dialect, Keys& keys);

// A connected, blocking socket. Errors: kUnavailable, kInvalidArgument.
Result<int> connect_to(const std::string& address);
// Sends the greeting and reads the answer. Errors: kUnavailable.
Status greet(int socket, const Dialect& dialect);

}  // namespace edged::bench
