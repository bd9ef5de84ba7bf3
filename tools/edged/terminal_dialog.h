// SPDX-License-Identifier: Apache-2.0
// Questions to the person at a terminal: a line with a proposal, a secret that is not shown, yes or
// no. Writes to stdout, reads from stdin. One thread.
#pragma once

#include <optional>
#include <string>

namespace edged {

class TerminalDialog {
 public:
  // True if stdin and stdout are a terminal.
  static bool possible();

  // One line without blanks at its ends; `proposal` if it is empty. `shown` stands in place of the
  // proposal where that is long or secret. Nothing: the input has ended (Ctrl-D).
  std::optional<std::string> ask(const std::string& question,
                                 const std::string& proposal = {},
                                 const std::string& shown = {});
  // The same without an echo. Ctrl-C ends the input too, so that the terminal's echo comes back.
  std::optional<std::string> ask_secret(const std::string& question, const std::string& shown = {});
  std::optional<bool> ask_yes(const std::string& question, bool proposal);
};

}  // namespace edged
