// SPDX-License-Identifier: Apache-2.0
// initdb and pg_ctl behind PostgresCluster, and the watcher that cleans up after a crash.
#include "tests/support/postgres_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

namespace edged::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "PostgresCluster: %s\n", what.c_str());
  std::abort();
}

// The newest installed server's folder of programs.
std::string find_binaries() {
  if (const char* given = std::getenv("EDGED_TEST_POSTGRES_BIN")) return given;
  std::vector<std::pair<int, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const fs::path bin = entry.path() / "bin";
    if (fs::exists(bin / "initdb"))
      found.emplace_back(std::atoi(entry.path().filename().c_str()), bin);
  }
  if (found.empty()) fail("no server under /usr/lib/postgresql; install postgresql");
  return std::max_element(found.begin(), found.end())->second;
}

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("no free port");
  }
  close(socket);
  return ntohs(address.sin_port);
}

// PostgreSQL refuses to run as root.
void drop_root() {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam("postgres");
  if (user == nullptr) fail("running as root and there is no user \"postgres\"");
  if (setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0) {
    fail("could not become user \"postgres\"");
  }
}

// Runs a program as the server's user, its output in `log`; returns its exit status.
int run(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) fail("could not fork");
  if (child == 0) {
    drop_root();
    if (chdir("/") != 0) _exit(126);
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int input = open("/dev/null", O_RDONLY);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    for (int fd = 3; fd < 256; ++fd) close(fd);
    execv(raw[0], raw.data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs in the watcher: waits for the test program's end, then removes what it left.
[[noreturn]] void watch(int pipe, const std::string& directory) {
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  char byte = 0;
  while (read(pipe, &byte, 1) < 0 && errno == EINTR) {
  }
  std::ifstream pid_file(directory + "/data/postmaster.pid");
  pid_t server = 0;
  if (pid_file >> server && server > 1) {
    kill(server, SIGQUIT);
    for (int i = 0; i < 200 && kill(server, 0) == 0; ++i) usleep(20'000);
    kill(server, SIGKILL);
  }
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  _exit(0);
}

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

}  // namespace

PostgresCluster& PostgresCluster::shared() {
  static PostgresCluster cluster("");
  return cluster;
}

std::unique_ptr<PostgresCluster> PostgresCluster::another(const std::string& settings, Role role) {
  std::unique_ptr<PostgresCluster> cluster(new PostgresCluster(settings));
  if (role == Role::kStandby) {
    cluster->stop();
    const std::ofstream signal(cluster->directory_ + "/data/standby.signal");
    cluster->start();
  }
  return cluster;
}

PostgresCluster::PostgresCluster(const std::string& settings) : binaries_(find_binaries()) {
  std::string pattern = (fs::temp_directory_path() / "edged-pg-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) fail("could not make a temporary directory");
  directory_ = pattern;
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    if (user == nullptr || chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) {
      fail("running as root and there is no user \"postgres\"");
    }
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("no pipe");
  watcher_pid_ = fork();
  if (watcher_pid_ < 0) fail("could not fork");
  if (watcher_pid_ == 0) {
    // Nothing of the program's: another cluster's watcher waits for the end of a pipe too.
    dup2(ends[0], 3);
    close_range(4, ~0U, 0);
    watch(3, directory_);
  }
  close(ends[0]);
  watcher_pipe_ = ends[1];
  initialise(settings);
  for (int attempt = 0; attempt < 5; ++attempt) {  // another program may take the port meanwhile
    port_ = free_port();
    const std::string line = "port = " + std::to_string(port_) + "\n";
    std::ofstream(directory_ + "/data/postgresql.auto.conf", std::ios::trunc) << line;
    if (run({binaries_ + "/pg_ctl",
             "-D",
             directory_ + "/data",
             "-l",
             directory_ + "/server.log",
             "-w",
             "-s",
             "start"},
            directory_ + "/control.log") == 0) {
      return;
    }
  }
  fail("could not start the server: " + read_file(directory_ + "/server.log"));
}

PostgresCluster::~PostgresCluster() {
  close(watcher_pipe_);
  waitpid(watcher_pid_, nullptr, 0);
}

void PostgresCluster::initialise(const std::string& settings) {
  const std::string password_file = directory_ + "/password";
  std::ofstream(password_file) << kPassword << '\n';
  fs::permissions(password_file,
                  fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
  const int status = run({binaries_ + "/initdb",
                          "-D",
                          directory_ + "/data",
                          "-N",
                          "-U",
                          "postgres",
                          "-E",
                          "UTF8",
                          "--locale=C.UTF-8",
                          "--auth-local=trust",
                          "--auth-host=scram-sha-256",
                          "--pwfile=" + password_file},
                         directory_ + "/control.log");
  if (status != 0) fail("initdb failed: " + read_file(directory_ + "/control.log"));
  std::ofstream(directory_ + "/data/postgresql.conf", std::ios::app)
      << "listen_addresses = '127.0.0.1'\nunix_socket_directories = '" << directory_
      << "'\nfsync = off\nfull_page_writes = off\nwal_level = logical\n"
         "shared_buffers = 32MB\nmax_connections = 60\nmax_wal_size = 256MB\n"
      << settings;
}

void PostgresCluster::control(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{binaries_ + "/pg_ctl",
                                   "-D",
                                   directory_ + "/data",
                                   "-l",
                                   directory_ + "/server.log",
                                   "-w",
                                   "-s"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (run(command, directory_ + "/control.log") != 0) {
    fail("pg_ctl " + arguments.front() + " failed: " + read_file(directory_ + "/control.log") +
         read_file(directory_ + "/server.log"));
  }
}

void PostgresCluster::start() {
  control({"start"});
}
void PostgresCluster::stop() {
  control({"stop", "-m", "fast"});
}
void PostgresCluster::stop_immediately() {
  control({"stop", "-m", "immediate"});
}

std::string PostgresCluster::url(const std::string& database) const {
  return "host=" + directory_ + " port=" + std::to_string(port_) +
         " user=postgres dbname=" + database;
}

std::string PostgresCluster::tcp_url(const std::string& database,
                                     const std::string& user,
                                     const std::string& password) const {
  return "postgresql://" + user + ":" + password + "@127.0.0.1:" + std::to_string(port_) + "/" +
         database;
}

std::vector<Row> PostgresCluster::query(const std::string& database, const std::string& sql) const {
  const std::unique_ptr<PGconn, FinishConnection> connection(PQconnectdb(url(database).c_str()));
  if (PQstatus(connection.get()) != CONNECTION_OK) fail(PQerrorMessage(connection.get()));
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    fail(std::string(PQerrorMessage(connection.get())) + "in: " + sql);
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      std::optional<std::string> field;
      if (PQgetisnull(result.get(), row, column) == 0)
        field = PQgetvalue(result.get(), row, column);
      rows[static_cast<std::size_t>(row)].push_back(std::move(field));
    }
  }
  return rows;
}

std::string PostgresCluster::value(const std::string& database, const std::string& sql) const {
  const std::vector<Row> rows = query(database, sql);
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0].value_or("");
}

std::string PostgresCluster::create_database(const std::string& template_database) {
  const std::string name = "test_" + std::to_string(getpid()) + "_" + std::to_string(++databases_);
  query("postgres", "create database " + name + " template " + template_database);
  return name;
}

void PostgresCluster::terminate_backends(const std::string& database) const {
  query("postgres",
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '" +
            database + "'");
}

}  // namespace edged::test
