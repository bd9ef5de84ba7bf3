// SPDX-License-Identifier: Apache-2.0
// What a program does about its standard streams: at its start, so that a missing or broken one
// harms nothing, and at its end, so that output that could not be written is a failure. Main
// thread.
#pragma once

#include <string>

namespace edged {

// Call first in main(). A write to a pipe or socket without a reader fails from now on instead of
// ending the process (SIGPIPE). Descriptors 0 to 2 that are closed are opened in a way that makes
// reading or writing fail: otherwise the next file that is opened would get the number, and output
// would go into it.
void prepare_standard_streams();

// Writes what stdout has buffered. False if some output could not be written, now or before: a
// command that prints much should stop then.
bool flush_output();

// Call last in main(). Returns `exit_code`, or 1 if that is 0 and output could not be written; says
// why on stderr, unless the reader of a pipe has just gone (`program | head -1`).
int finish_output(const std::string& program, int exit_code);

}  // namespace edged
