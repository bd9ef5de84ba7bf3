// SPDX-License-Identifier: Apache-2.0
// See terminal.h. glibc's fopencookie() lets every printf pass through one function.
#include "tools/kvctl/terminal.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "proto/base/printable.h"

namespace edged::kvctl {
namespace {

bool is_terminal = false;

// The bytes of a character may come in two calls.
std::string unfinished;

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

ssize_t write_escaped(void*, const char* bytes, std::size_t size) {
  const std::string all = unfinished + std::string(bytes, size);
  const std::size_t whole = all.size() - unfinished_bytes(all);
  unfinished = all.substr(whole);
  return write_all(printable_lines(std::string_view(all).substr(0, whole)))
             ? static_cast<ssize_t>(size)
             : 0;
}

int write_rest(void*) {
  return write_all(printable_lines(unfinished)) ? 0 : EOF;
}

}  // namespace

void protect_terminal() {
  is_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (!is_terminal) return;
  cookie_io_functions_t functions{};
  functions.write = write_escaped;
  functions.close = write_rest;
  std::FILE* const escaping = ::fopencookie(nullptr, "w", functions);
  if (escaping == nullptr) return;
  std::setvbuf(escaping, nullptr, _IOLBF, BUFSIZ);
  stdout = escaping;
}

std::string terminal_text(std::string_view text) {
  return is_terminal ? printable(text) : std::string(text);
}

}  // namespace edged::kvctl
