// SPDX-License-Identifier: Apache-2.0
#include "proto/base/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "proto/base/log.h"

namespace edged {
namespace {

int output_error = 0;  // errno of the first flush that failed

// True if stdout is a pipe or socket whose other end is closed.
bool is_reader_gone() {
  pollfd descriptor{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&descriptor, 1, 0) == 1 && (descriptor.revents & POLLERR) != 0;
}

}  // namespace

void prepare_standard_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one, since those below are open.
    const int wrong_way = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    static_cast<void>(::open("/dev/null", wrong_way));
  }
}

bool flush_output() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
  return std::ferror(stdout) == 0 && output_error == 0;
}

int finish_output(const std::string& program, int exit_code) {
  if (flush_output()) return exit_code;
  if (output_error != EPIPE && !is_reader_gone()) {
    log::print(program + ": could not write the output" +
               (output_error == 0 ? "" : std::string(": ") + std::strerror(output_error)));
  }
  return exit_code == 0 ? 1 : exit_code;
}

}  // namespace edged
