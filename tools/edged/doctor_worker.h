// SPDX-License-Identifier: Apache-2.0
// The checks of a worker: PostgreSQL, the upstream, mails, the mirror, the running worker. They ask
// and change nothing; the upstream gets one question. `edged init` runs them one by one as settings
// are entered. The executor's thread; report and configuration outlive the calls.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

#include "tools/edged/config.h"
#include "tools/edged/doctor_report.h"
#include "worker/db/pg_pool.h"
#include "worker/upstream/section_source.h"

namespace edged::doctor {

// How PostgreSQL can be reached: version, clock, encryption, connections left, a pooler in between.
// False: it cannot, and nothing more can be asked of it.
boost::asio::awaitable<bool> check_postgres(const config::Config& config, Report& report);

// Schema, tables and rights, for what this configuration's worker does.
boost::asio::awaitable<void> check_schema(db::PgPool& pool,
                                          const config::Config& config,
                                          Report& report);

// Settings, rights and tables for logical replication, then slot and lag.
boost::asio::awaitable<void> check_mirror(db::PgPool& pool,
                                          const config::Config& config,
                                          Report& report);

// A section that somebody watches, to ask the upstream for; made up if there is none.
struct Question {
  upstream::SectionKey section;
  bool made_up = true;
};
boost::asio::awaitable<Question> choose_question(db::PgPool& pool);

// One question to the upstream, as class-monitor asks.
boost::asio::awaitable<void> check_upstream(const config::Config& config,
                                            Question question,
                                            Report& report);

// The transport of section `mail`, without a mail: a directory that can be written, a conversation
// with the SMTP server up to the login, or the provider's answer to the key.
boost::asio::awaitable<void> check_mail(const config::Config& config, Report& report);

// Whether a worker runs on worker.state_dir, and is ready.
boost::asio::awaitable<void> check_running_worker(const config::Config& config, Report& report);

// All of a worker's. `io` runs while it works.
void check_worker(boost::asio::io_context& io, const config::Config& config, Report& report);

}  // namespace edged::doctor
