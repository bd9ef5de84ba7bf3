// SPDX-License-Identifier: Apache-2.0
// The steps of `edged init`: what each asks, and how its answers are tested. One thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <vector>

#include "tools/edged/doctor_report.h"
#include "tools/edged/init_database.h"
#include "tools/edged/init_draft.h"
#include "tools/edged/terminal_dialog.h"

namespace edged {

// What the tests learned.
struct InitFacts {
  DatabaseOutlook database;
  bool wants_mirror = true;  // if PostgreSQL allows it
};

struct InitStep {
  const char* name;   // in messages
  const char* title;  // above the questions
  // Asks for what is not known; with `again` for all of it, because a test failed. False: the input
  // has ended.
  bool (*ask)(TerminalDialog& dialog, InitDraft& draft, bool again);
  void (*test)(boost::asio::io_context& io,
               InitDraft& draft,
               InitFacts& facts,
               doctor::Report& report);
};

const std::vector<InitStep>& init_steps();

}  // namespace edged
