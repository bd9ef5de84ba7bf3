// SPDX-License-Identifier: Apache-2.0
// The questions of `edged init`. Each proposes what the draft holds; Enter takes it. False: the
// input has ended. One thread.
#pragma once

#include "tools/edged/init_draft.h"
#include "tools/edged/terminal_dialog.h"

namespace edged {

bool ask_database(TerminalDialog& dialog, InitDraft& draft, bool again);
bool ask_upstream(TerminalDialog& dialog, InitDraft& draft, bool again);
bool ask_mail(TerminalDialog& dialog, InitDraft& draft, bool again);

}  // namespace edged
