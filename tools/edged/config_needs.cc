// SPDX-License-Identifier: Apache-2.0
// See config_needs.h.
#include "tools/edged/config_needs.h"

#include <algorithm>
#include <array>

namespace edged::config {
namespace {

constexpr std::array kRoles{kRoleMirror, kRoleCron, kRoleMail, kRoleQueue};

bool runs_a_worker(Scope scope) {
  return scope == Scope::kWorker || scope == Scope::kAll;
}

UsedSections of_worker(const Worker& worker) {
  UsedSections used;
  const bool cron = worker.has_role(kRoleCron);
  used.postgres = used.worker = true;
  used.jobs = used.upstream = used.cron_http = cron;
  used.mail = worker.has_role(kRoleMail);
  used.queue = worker.has_role(kRoleQueue);
  // Runs of a job look at what a mirror keeps.
  used.mirror = cron || worker.has_role(kRoleMirror);
  return used;
}

}  // namespace

bool uses_worker_section(Scope scope) {
  return scope != Scope::kNode && scope != Scope::kMigrate && scope != Scope::kCronHistory &&
         scope != Scope::kQueue;
}

UsedSections used_sections(Scope scope, const Worker& worker) {
  UsedSections used;
  switch (scope) {
    case Scope::kNode:
      used.node = true;
      return used;
    case Scope::kWorker:
    case Scope::kAll:
      used = of_worker(worker);
      used.node = scope == Scope::kAll;
      return used;
    case Scope::kMigrate:
    case Scope::kCronHistory:
    case Scope::kQueue:
      used.postgres = true;
      return used;
    case Scope::kCronRun:
      used.worker = true;
      if (!worker.has_role(kRoleCron)) return used;  // it is refused
      used.postgres = used.jobs = used.worker = used.upstream = used.mail = used.mirror = true;
      return used;
    case Scope::kMail:
      used.worker = used.mail = true;
      return used;
    case Scope::kMirror:
      used.postgres = used.worker = used.mirror = true;
      return used;
    case Scope::kCheck:
      return {true, true, true, true, true, true, true, true, true};
  }
  return used;
}

std::vector<MissingKey> missing_for(Scope scope, const Config& config) {
  std::vector<MissingKey> missing;
  if (scope == Scope::kNode || scope == Scope::kCheck || scope == Scope::kMail) return missing;
  if (scope == Scope::kCronRun && !config.worker.has_role(kRoleCron)) {
    missing.push_back({"worker.roles",
                       "does not name \"cron\": this installation runs no jobs. Run the job "
                       "where the worker has that role, or add it"});
    return missing;
  }
  if (config.postgres.url.empty()) missing.push_back({"postgres.url", "is missing"});
  const bool runs_jobs = runs_a_worker(scope) && config.worker.has_role(kRoleCron);
  if ((runs_jobs || scope == Scope::kCronRun) && config.upstream.url.empty()) {
    missing.push_back({"upstream.url", "is missing"});
  }
  const bool only_mirrors = runs_a_worker(scope) && config.worker.has_role(kRoleMirror) &&
                            !config.worker.has_role(kRoleCron) &&
                            !config.worker.has_role(kRoleMail) &&
                            !config.worker.has_role(kRoleQueue);
  if ((scope == Scope::kMirror || only_mirrors) && config.mirror.rules.empty()) {
    missing.push_back({"mirror.rules", "is missing or empty"});
  }
  if (only_mirrors && config.worker_namespace_id().empty()) {
    missing.push_back({"kv_namespaces", "is missing or empty: the mirror needs a namespace"});
  }
  return missing;
}

const std::vector<Program>& checked_programs() {
  static const std::vector<Program> programs{{"serve", Scope::kAll},
                                             {"node", Scope::kNode},
                                             {"worker", Scope::kWorker},
                                             {"migrate", Scope::kMigrate},
                                             {"cron run", Scope::kCronRun},
                                             {"cron history", Scope::kCronHistory},
                                             {"queue", Scope::kQueue},
                                             {"mirror", Scope::kMirror}};
  return programs;
}

void check_roles(const Config& config, ReadContext& context) {
  const std::vector<std::string>& roles = config.worker.roles;
  if (roles.empty()) {
    context.complain("worker.roles",
                     "is empty. Name one or more of mirror, cron, mail, queue, or leave the key "
                     "out: then the worker has all roles");
  }
  for (std::size_t i = 0; i < roles.size(); ++i) {
    const std::string path = "worker.roles[" + std::to_string(i) + "]";
    if (std::find(kRoles.begin(), kRoles.end(), roles[i]) == kRoles.end()) {
      context.complain(path, "\"" + roles[i] + "\" is not one of mirror, cron, mail, queue");
    } else if (std::find(roles.begin(), roles.begin() + static_cast<std::ptrdiff_t>(i), roles[i]) !=
               roles.begin() + static_cast<std::ptrdiff_t>(i)) {
      context.complain(path, "\"" + roles[i] + "\" is named twice");
    }
  }
}

}  // namespace edged::config
