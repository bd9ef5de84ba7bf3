// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/init_database.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kvstore/storage/rocks_store.h"
#include "proto/base/metrics.h"
#include "proto/base/private_files.h"
#include "proto/net/blocking_client.h"
#include "proto/net/spawn.h"
#include "tools/edged/doctor_worker.h"
#include "tools/edged/options.h"
#include "tools/edged/postgres_options.h"
#include "worker/db/migrate.h"
#include "worker/db/pg_pool.h"

namespace edged {
namespace {

namespace asio = boost::asio;
using doctor::Report;

// One row: does the schema exist, may the role create one, the application's tables, wal_level, may
// the role replicate, its name with the quotes that SQL wants, the database's likewise.
constexpr const char* kOutlook = R"(
select to_regnamespace('edged') is not null, has_database_privilege(current_database(), 'create'),
       to_regclass('public.class_watches') is not null and to_regclass('auth.users') is not null,
       current_setting('wal_level'), rolreplication or rolsuper, quote_ident(rolname),
       quote_ident(current_database())
from pg_roles where rolname = current_user)";

void tell_outlook(const db::PgResult& row, DatabaseOutlook& outlook, Report& report) {
  const auto text = [&row](int column) { return std::string(row.text(0, column)); };
  const bool has_schema = text(0) == "t", may_create = text(1) == "t";
  outlook.needs_app_schema = text(2) != "t";
  if (!has_schema && !may_create) {
    report.error("rights",
                 std::string("role ") + text(5) + " may not create the schema \"edged\"",
                 std::string("grant create on database ") + text(6) + " to " + text(5) +
                     "; or run \"edged migrate --grant-to " + text(5) + "\" as another role");
  }
  const bool logical = text(3) == "logical", may_replicate = text(4) == "t";
  outlook.allows_mirror = logical && may_replicate;
  if (outlook.allows_mirror) {
    report.ok("mirror", "PostgreSQL allows logical replication");
    return;
  }
  report.note("mirror",
              logical ? std::string("role ") + text(5) +
                            " may not replicate: tables cannot be kept in the node"
                      : std::string("wal_level is ") + text(3) +
                            ": tables cannot be kept in the node, and each "
                            "section's state is looked up as it is needed",
              logical ? std::string("alter role ") + text(5) + " replication"
                      : "alter system set wal_level = logical, and restart PostgreSQL");
}

asio::awaitable<DatabaseOutlook> look(const config::Config& config, Report& report) {
  DatabaseOutlook outlook;
  const bool reached = co_await doctor::check_postgres(config, report);
  outlook.reached = reached;
  if (!reached) co_return outlook;
  MetricsRegistry metrics;
  db::PgPoolOptions options = pool_options(config, "edged init");
  options.size = 1;
  const auto executor = co_await asio::this_coro::executor;
  db::PgPool pool(executor, std::move(options), metrics);
  const std::string sql = kOutlook;
  const db::PgParameters none;
  const Result<db::PgResult> row = co_await pool.execute(sql, none);
  if (row && row->rows() == 1) {
    tell_outlook(*row, outlook, report);
  } else if (!row) {
    report.error("rights", row.error().message(), "see the rights of the role in postgres.url");
  }
  co_return outlook;
}

// Files that are created meanwhile belong to another user. For root only; others stay who they are.
class ActAs {
 public:
  explicit ActAs(const std::string& owner) {
    if (owner.empty() || ::geteuid() != 0) return;
    const passwd* const user = ::getpwnam(owner.c_str());
    if (user == nullptr) return;
    active_ = ::setegid(user->pw_gid) == 0 && ::seteuid(user->pw_uid) == 0;
  }
  ~ActAs() {
    if (active_) (void)(::seteuid(0) == 0 && ::setegid(0) == 0);
  }
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  bool active_ = false;
};

// Root makes the directory, which the owner may not do in /var/lib.
Status make_data_dir(const std::string& path, const std::string& owner) {
  if (owner.empty() || ::geteuid() != 0 || ::access(path.c_str(), F_OK) == 0) return {};
  const Status made = make_private_directory(path);
  if (!made.ok()) return made;
  const passwd* const user = ::getpwnam(owner.c_str());
  if (user == nullptr) return {Code::kNotFound, "there is no user \"" + owner + "\""};
  if (::chown(path.c_str(), user->pw_uid, user->pw_gid) == 0) return {};
  return {Code::kIoError, "could not give " + path + " to " + owner + ": " + std::strerror(errno)};
}

std::string created(const config::KvNamespace& kv) {
  return "namespace " + kv.binding + " (" + kv.id + ")";
}

Result<std::vector<std::string>> create_in_node(const config::Config& config,
                                                net::BlockingClient& client) {
  std::vector<std::string> done;
  const auto there = client.list_namespaces();
  if (!there) return there.error();
  for (const config::KvNamespace& kv : config.kv_namespaces) {
    bool exists = false;
    for (const net::KvNamespace& one : *there) exists = exists || one.id == kv.id;
    if (exists) continue;
    const auto made = client.create_namespace(kv.binding, kv.id);
    if (!made) return made.error();
    done.push_back(created(kv));
  }
  return done;
}

Result<std::vector<std::string>> create_in_store(const config::Config& config) {
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  const auto store =
      storage::open_rocks_store(store_options(config, plan_descriptors(limit.rlim_cur)));
  if (!store) return store.error();
  std::vector<std::string> done;
  for (const config::KvNamespace& kv : config.kv_namespaces) {
    if ((*store)->find_namespace(kv.id)) continue;
    const auto made = (*store)->create_namespace(kv.binding, kv.id);
    if (!made) return made.error();
    done.push_back(created(kv));
  }
  return done;
}

}  // namespace

DatabaseOutlook look_at_database(asio::io_context& io,
                                 const config::Config& config,
                                 Report& report) {
  return net::run_until_done(io, look(config, report));
}

Result<std::vector<std::string>> migrate_for_init(asio::io_context& io,
                                                  const config::Config& config,
                                                  bool app_schema) {
  db::MigrateOptions options;
  options.url = config.postgres.url;
  options.session_state = config.postgres.session_state;
  options.connect_timeout = config.postgres.connect_timeout;
  options.app_schema = app_schema;
  const Result<db::MigrateReport> report =
      net::run_until_done(io, db::migrate(io.get_executor(), std::move(options)));
  if (!report) return report.error();
  std::vector<std::string> lines;
  for (const std::string& name : report->applied) lines.push_back("applied " + name);
  for (const std::string& table : report->created_tables) lines.push_back("created " + table);
  lines.push_back(std::string("schema edged is at version ") + std::to_string(report->version));
  return lines;
}

Result<std::vector<std::string>> create_namespaces(const config::Config& config,
                                                   const std::string& owner) {
  net::ClientOptions options;
  options.address = config.node_address();
  options.tls_ca_file = config.worker.tls_ca;
  options.credential_file = config.worker.token_file;
  net::BlockingClient client(std::move(options));
  if (client.ping().ok()) return create_in_node(config, client);
  const Status ready = make_data_dir(config.node.data_dir, owner);
  if (!ready.ok()) return ready;
  const ActAs as_owner(owner);
  return create_in_store(config);
}

}  // namespace edged
