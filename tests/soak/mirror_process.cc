// SPDX-License-Identifier: Apache-2.0
// See mirror_process.h.
#include "tests/soak/mirror_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "proto/base/check.h"

namespace edged::soak {
namespace {

constexpr int kNoProgram = 127;
constexpr int kKilled = 128;
constexpr int kDescriptorsMax = 1024;

pid_t spawn(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  KV_CHECK(child >= 0);
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // of the thread that forks, which lives as long as all
  if (::getppid() != parent) ::_exit(kNoProgram);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int input = ::open("/dev/null", O_RDONLY);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  for (int fd = STDERR_FILENO + 1; fd < kDescriptorsMax; ++fd) ::close(fd);
  ::execv(raw[0], raw.data());
  ::_exit(kNoProgram);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled;
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, const std::string& log) {
  return wait_for(spawn(arguments, log));
}

MirrorProcess::~MirrorProcess() {
  kill();
}

void MirrorProcess::start() {
  if (process_ == 0) process_ = spawn(arguments_, log_);
}

void MirrorProcess::kill() {
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  wait_for(process_);
  process_ = 0;
}

bool MirrorProcess::ended() {
  if (process_ == 0 || ::waitpid(process_, nullptr, WNOHANG) != process_) return false;
  process_ = 0;
  return true;
}

std::vector<std::string> MirrorProcess::log_lines(const std::string& mark) const {
  std::vector<std::string> lines;
  std::ifstream file(log_);
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(mark);
    if (at != std::string::npos) lines.push_back(line.substr(at + mark.size()));
  }
  return lines;
}

}  // namespace edged::soak
