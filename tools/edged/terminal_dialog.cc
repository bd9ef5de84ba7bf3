// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/terminal_dialog.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace edged {
namespace {

constexpr std::size_t kLineBytesMax = 16 * 1024;
constexpr char kInterrupt = 3, kEndOfInput = 4, kBackspace = 8, kDelete = 127;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Nothing: the input has ended. What is longer than a line may be is cut.
std::optional<std::string> read_line() {
  std::string line;
  while (true) {
    char byte = 0;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || byte == kInterrupt || byte == kEndOfInput) return std::nullopt;
    if (byte == '\n') return trimmed(line);
    if (byte == kBackspace || byte == kDelete) {
      if (!line.empty()) line.pop_back();
      continue;
    }
    if (line.size() < kLineBytesMax) line += byte;
  }
}

void prompt(const std::string& question, const std::string& shown) {
  print("  " + question + (shown.empty() ? "" : " [" + shown + "]") + ": ");
}

}  // namespace

bool TerminalDialog::possible() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

std::optional<std::string> TerminalDialog::ask(const std::string& question,
                                               const std::string& proposal,
                                               const std::string& shown) {
  prompt(question, shown.empty() ? proposal : shown);
  std::optional<std::string> line = read_line();
  if (line && line->empty()) return proposal;
  return line;
}

std::optional<std::string> TerminalDialog::ask_secret(const std::string& question,
                                                      const std::string& shown) {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG | ICANON);
  // Before the question, so that nothing of the answer is shown or lost.
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  prompt(question, shown);
  std::optional<std::string> line = read_line();
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
  print("\n");
  return line;
}

std::optional<bool> TerminalDialog::ask_yes(const std::string& question, bool proposal) {
  while (true) {
    const auto line = ask(question, proposal ? "yes" : "no");
    if (!line) return std::nullopt;
    if (*line == "y" || *line == "yes") return true;
    if (*line == "n" || *line == "no") return false;
    print("  Answer yes or no.\n");
  }
}

}  // namespace edged
