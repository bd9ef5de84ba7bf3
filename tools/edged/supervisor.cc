// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/supervisor.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "proto/base/log.h"
#include "proto/base/units.h"
#include "tools/edged/exit_code.h"

namespace edged {
namespace {

using std::chrono::steady_clock;

std::string describe(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return std::string("was ended by signal ") + std::to_string(WTERMSIG(wait_status)) + " (" +
           ::strsignal(WTERMSIG(wait_status)) + ")";
  }
  const int code = WEXITSTATUS(wait_status);
  const std::string text = "exited with " + std::to_string(code);
  if (code == kExitUsage) return text + ": its configuration is wrong; see its message above";
  if (code == kExitCorrupt) return text + ": its data is damaged; see its message above";
  return text;
}

// A restart cannot mend these two: no hurry.
bool is_lasting(int wait_status) {
  return WIFEXITED(wait_status) &&
         (WEXITSTATUS(wait_status) == kExitUsage || WEXITSTATUS(wait_status) == kExitCorrupt);
}

}  // namespace

Supervisor::Supervisor(std::vector<SupervisedProgram> programs, SupervisorOptions options)
    : options_(options), reports_(options.manager, programs.size()) {
  for (SupervisedProgram& program : programs) {
    Child child{std::move(program),
                Backoff({options_.delay_first, options_.delay_max, Jitter::kNone})};
    children_.push_back(std::move(child));
  }
}

int Supervisor::run() {
  ::sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, &signals_before_);
  while (!stopping_ || any_running()) {
    start_due();
    const Time now = steady_clock::now();
    const auto wait =
        std::min(std::max(next_wake_up() - now, steady_clock::duration(0)), reports_.relay(now));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
    timespec timeout{};
    timeout.tv_sec = static_cast<time_t>(seconds.count());
    timeout.tv_nsec = static_cast<long>(std::chrono::nanoseconds(wait - seconds).count());
    handle(::sigtimedwait(&signals_, nullptr, &timeout));
    reap();  // several ends may have come as one SIGCHLD
  }
  ::pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
  return kExitDone;
}

void Supervisor::handle(int signal) {
  if (signal == SIGHUP) {
    reports_.reloading();
    signal_all(SIGHUP);
  }
  if (signal == SIGTERM || signal == SIGINT) {
    log::info(stopping_ ? "second signal: killing the child processes" : "stopping");
    signal_all(stopping_ ? SIGKILL : SIGTERM);
    reports_.stopping();
    if (!stopping_) kill_at_ = steady_clock::now() + options_.stop_timeout;
    stopping_ = true;
  }
  if (stopping_ && steady_clock::now() >= kill_at_) {
    signal_all(SIGKILL);
    kill_at_ = steady_clock::now() + options_.stop_timeout;
  }
}

void Supervisor::start_due() {
  if (stopping_) return;
  for (Child& child : children_) {
    if (child.pid == 0 && steady_clock::now() >= child.start_at) start(child);
  }
}

void Supervisor::start(Child& child) {
  std::vector<char*> argv;
  for (std::string& argument : child.program.argv) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(kExitFailed);  // it died before prctl
    ::signal(SIGPIPE, SIG_DFL);  // an ignored signal stays ignored in the new program
    ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
    ::execv(child.program.executable.c_str(), argv.data());
    ::_exit(127);
  }
  child.started = steady_clock::now();
  if (pid < 0) {
    log::error("could not start " + child.program.name + ": " + std::strerror(errno));
    child.start_at = child.started + options_.delay_max;
    return;
  }
  child.pid = pid;
  reports_.started(pid);
  log::info("started " + child.program.name + " (pid " + std::to_string(pid) + ")");
}

// As process 1 of a container it also gets the children of processes that have ended: they are
// reaped too, and forgotten.
void Supervisor::reap() {
  int wait_status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    const auto child = std::find_if(
        children_.begin(), children_.end(), [pid](const Child& one) { return one.pid == pid; });
    if (child == children_.end()) continue;
    reports_.ended(pid);
    schedule_restart(*child, wait_status);
    child->pid = 0;
  }
}

void Supervisor::schedule_restart(Child& child, int wait_status) {
  const std::string ended =
      child.program.name + " (pid " + std::to_string(child.pid) + ") " + describe(wait_status);
  if (stopping_) {
    log::info(ended);
    return;
  }
  const Time now = steady_clock::now();
  if (now - child.started >= options_.stable_after) child.backoff.reset();
  const auto next_delay = child.backoff.next();
  const auto delay = is_lasting(wait_status) ? options_.delay_max : next_delay;
  child.start_at = now + delay;
  log::error(ended + "; next start in " + format_duration(delay));
}

bool Supervisor::any_running() const {
  return std::any_of(
      children_.begin(), children_.end(), [](const Child& child) { return child.pid != 0; });
}

void Supervisor::signal_all(int signal) const {
  for (const Child& child : children_) {
    if (child.pid != 0) ::kill(child.pid, signal);
  }
}

Supervisor::Time Supervisor::next_wake_up() const {
  if (stopping_) return kill_at_;
  Time next = steady_clock::now() + std::chrono::hours(1);
  for (const Child& child : children_) {
    if (child.pid == 0) next = std::min(next, child.start_at);
  }
  return next;
}

}  // namespace edged
