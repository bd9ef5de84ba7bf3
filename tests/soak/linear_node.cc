// SPDX-License-Identifier: Apache-2.0
// See linear_node.h.
#include "tests/soak/linear_node.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "proto/base/check.h"
#include "tests/soak/linear_client.h"

namespace edged::soak {
namespace {

constexpr std::chrono::seconds kStartPatience{120};

}  // namespace

LinearNode::~LinearNode() {
  kill();
}

Status LinearNode::start() {
  KV_CHECK(process_ == 0);
  const std::string data = directory_ + "/data", log = directory_ + "/node.log";
  const std::string unix_path = socket_path();
  process_ = ::fork();
  KV_CHECK(process_ >= 0);
  if (process_ == 0) {
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, STDERR_FILENO);
    ::execl(program_.c_str(),
            program_.c_str(),
            "node",
            "--data",
            data.c_str(),
            "--unix",
            unix_path.c_str(),
            "--listen",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--log-level",
            "warn",
            nullptr);
    ::_exit(127);
  }
  const auto end = std::chrono::steady_clock::now() + kStartPatience;
  while (!LinearLink::open(unix_path)) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = 0;
      return {Code::kUnavailable,
              "the node ended while it was starting, wait status " + std::to_string(status)};
    }
    if (std::chrono::steady_clock::now() > end) {
      return {Code::kUnavailable, "the node did not accept connections within 120 s"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {};
}

void LinearNode::kill() {
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  KV_CHECK(::waitpid(process_, nullptr, 0) == process_);
  process_ = 0;
}

}  // namespace edged::soak
