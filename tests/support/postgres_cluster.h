// SPDX-License-Identifier: Apache-2.0
// A throwaway PostgreSQL for a test program: its own directory, a unix socket and a port of
// 127.0.0.1. Nothing is synced to disk, but what was committed survives stop_immediately(). It is
// stopped and removed when the program ends, however it ends: a watcher process sees the end. As
// root the server runs as user "postgres". One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/status.h"

namespace edged::test {

using Row = std::vector<std::optional<std::string>>;

class PostgresCluster {
 public:
  // The program's cluster, started at the first call. Aborts with the reason if that fails: no test
  // of the program could pass.
  static PostgresCluster& shared();
  // One more, with `settings` (lines of postgresql.conf); a standby follows nobody, and is
  // read-only.
  enum class Role { kPrimary, kStandby };
  static std::unique_ptr<PostgresCluster> another(const std::string& settings,
                                                  Role role = Role::kPrimary);

  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  // A fresh database with a name of its own, a copy of `template_database`.
  std::string create_database(const std::string& template_database = "template1");

  // For the superuser over the unix socket, no password wanted.
  std::string url(const std::string& database) const;
  // Over TCP, where a password is wanted (kPassword is the superuser's).
  std::string tcp_url(const std::string& database,
                      const std::string& user = "postgres",
                      const std::string& password = kPassword) const;
  static constexpr const char* kPassword = "throwaway";
  int port() const { return port_; }

  // Runs `sql` (one or several statements) and returns the last one's rows; a test that hands in
  // wrong SQL aborts with PostgreSQL's message.
  std::vector<Row> query(const std::string& database, const std::string& sql) const;
  // The first column of the first row, "" for NULL or no row.
  std::string value(const std::string& database, const std::string& sql) const;

  // Each returns when done. stop() ends sessions politely; stop_immediately() is a crash.
  void start();
  void stop();
  void stop_immediately();
  // Ends every session of `database` as an administrator would, and waits until they are gone.
  void terminate_backends(const std::string& database) const;

 private:
  explicit PostgresCluster(const std::string& settings);
  void initialise(const std::string& settings);
  void control(const std::vector<std::string>& arguments) const;

  std::string binaries_;
  std::string directory_;
  int port_ = 0;
  int databases_ = 0;
  int watcher_pipe_ = -1;
  int watcher_pid_ = -1;
};

}  // namespace edged::test
