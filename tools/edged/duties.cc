// SPDX-License-Identifier: Apache-2.0
// See duties.h.
#include "tools/edged/duties.h"

#include <memory>

#include "proto/base/log.h"
#include "proto/base/secret_file.h"
#include "tools/edged/mail_transport.h"

namespace edged {

Duties duties_of(const config::Config& config) {
  Duties duties;
  if (config.leaves_database_alone()) return duties;
  duties.jobs = config.worker.has_role(config::kRoleCron);
  duties.mail = config.worker.has_role(config::kRoleMail);
  const bool names_queues = !config.worker.queue_secret.empty() ||
                            !config.worker.queue_secret_file.empty() ||
                            !config.queue_producers.empty() || !config.queue_consumers.empty() ||
                            !config.queue_push.empty();
  duties.queue = config.worker.has_role(config::kRoleQueue) && names_queues;
  duties.mirror = config.worker.has_role(config::kRoleMirror) && config.mirror.configured &&
                  !config.worker_namespace_id().empty();
  return duties;
}

db::DatabaseUse database_use(const Duties& duties, const config::Config& config) {
  db::DatabaseUse use;
  use.job = duties.jobs;
  use.mail = duties.mail;
  use.queue = duties.queue;
  use.mirror = duties.mirror && config.mirror.mode != "cache-aside";
  use.permanent_slot = !config.mirror.temporary_slot;
  return use;
}

void tell_duties(const config::Config& config, const Duties& duties, MetricsRegistry& metrics) {
  std::string roles;
  for (const std::string& role : config.worker.roles) {
    roles += (roles.empty() ? "" : ", ") + role;
    metrics.gauge("edged_worker_role", "1 for each role of worker.roles", {{"role", role}})
        .set(config.leaves_database_alone() ? 0 : 1);
  }
  if (config.leaves_database_alone()) {
    log::warn(
        "--dev: this worker leaves the database alone: no jobs, no mails, no take-overs, no "
        "mirror, no deletion of history. To have all of that, name the database that postgres.url "
        "leads to: --dev-database NAME");
    return;
  }
  log::info("roles: " + roles);
  if (duties.mail && config.upstream.url.empty()) {
    log::info(
        "upstream.url is not set: a mail that waited longer than mail.valid_for is judged by the "
        "state in PostgreSQL alone");
  }
  if (config.dev) {
    log::warn("--dev: this worker uses database \"" + config.dev_database +
              "\" as it would without --dev" +
              (duties.mail ? "; mails go to " + mail_destination(config) : ""));
  }
}

std::function<std::string()> current_cron_secret(const config::Worker& worker) {
  if (worker.cron_secret_file.empty()) {
    return [secret = worker.cron_secret] { return secret; };
  }
  const auto file =
      std::make_shared<SecretFile>(worker.cron_secret_file, "worker.cron_secret_file");
  (void)file->get();  // so that it stays in use if the file goes before the first request
  return [file] {
    const Result<std::string> secret = file->get();
    return secret ? *secret : std::string();
  };
}

std::string why_no_jobs(const config::Config& config) {
  if (config.leaves_database_alone()) {
    return "it runs with --dev and leaves the database alone. Name the database with "
           "--dev-database to run jobs in it";
  }
  if (!config.worker.has_role(config::kRoleCron)) {
    return "worker.roles does not name \"cron\". Ask a worker that has this role";
  }
  return {};
}

Status check_dev_database(const config::Config& config, const std::string& database) {
  if (!config.dev || config.dev_database == database) return {};
  return Status(Code::kInvalidArgument,
                "--dev-database names \"" + config.dev_database +
                    "\", but postgres.url leads to database \"" + database +
                    "\". Nothing is done to that database");
}

}  // namespace edged
