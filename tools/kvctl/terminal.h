// SPDX-License-Identifier: Apache-2.0
// stdout when it is a terminal: what other people stored (keys, titles, names, values) must not
// drive it. Elsewhere, as in a pipe or a file, bytes are written as they are. One thread.
#pragma once

#include <string>
#include <string_view>

namespace edged::kvctl {

// Before anything is written. On a terminal stdout then shows control and bidirectional characters
// as escapes (proto/base/printable.h), also those in JSON, where they mean the same.
void protect_terminal();

// `text` as a part of one line: on a terminal its line breaks and tabs are escapes too.
std::string terminal_text(std::string_view text);

}  // namespace edged::kvctl
