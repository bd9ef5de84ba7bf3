// SPDX-License-Identifier: Apache-2.0
// `edged cron run NAME`: one run of a job in the foreground, with the mails it causes.
#pragma once

#include <string>

#include "tools/edged/config.h"

namespace edged {

struct CronOnceOptions {
  std::string job;
  bool json = false;
  bool deliver_mail = true;     // --no-mail leaves the mails queued
  std::string idempotency_key;  // empty: none
};

// Prints the run's summary on stdout; with a key that has a run already, that run's, once it is
// over. A run whose worker has died is taken over. Returns the exit code: kExitFailed if the run
// failed, another is under way or mails are left over; kExitUsage for no such job or an unusable
// key; else as exit_code_of() has it.
int run_cron_once(const config::Config& config, const CronOnceOptions& given);

}  // namespace edged
