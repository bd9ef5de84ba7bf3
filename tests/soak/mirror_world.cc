// SPDX-License-Identifier: Apache-2.0
// See mirror_world.h.
#include "tests/soak/mirror_world.h"

#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/soak/mirror_tables.h"

namespace edged::soak {
namespace {

constexpr std::chrono::seconds kPatience{180};
constexpr std::chrono::milliseconds kPoll{20};

std::vector<std::string> command(const std::string& program,
                                 const std::string& directory,
                                 const char* what) {
  return {program, what, "-c", directory + "/edged.jsonc"};
}

net::ClientOptions client_options(const std::string& directory) {
  net::ClientOptions options;
  options.address = "unix:" + directory + "/node/kv.sock";
  return options;
}

}  // namespace

MirrorWorld::MirrorWorld(std::string program, std::string directory)
    : cluster(test::PostgresCluster::shared()),
      proxy(cluster.port()),
      node(command(program, directory, "node"), directory + "/node.log"),
      worker(command(program, directory, "worker"), directory + "/worker.log"),
      sql(cluster.url("postgres")),
      program_(std::move(program)),
      directory_(std::move(directory)),
      database_(cluster.create_database()),
      client_(client_options(directory_)) {}

std::string MirrorWorld::sql_url() const {
  return cluster.url(database_) + " application_name=soak";
}

std::string MirrorWorld::node_address() const {
  return client_options(directory_).address;
}

Status MirrorWorld::write_config() const {
  const std::string path = directory_ + "/edged.jsonc";
  std::ofstream file(path);
  file << "{\n\"node\": {\"data_dir\": \"" << directory_ << "/node\", \"listen\": \"127.0.0.1:0\", "
       << "\"http\": \"127.0.0.1:0\"},\n"
       << "\"postgres\": {\"url\": \"postgresql://postgres:" << test::PostgresCluster::kPassword
       << "@127.0.0.1:" << proxy.port() << "/" << database_ << "\"},\n"
       << "\"triggers\": {\"crons\": []},\n"
       << "\"worker\": {\"http\": \"127.0.0.1:0\", \"state_dir\": \"" << directory_
       << "/worker\", \"cron_secret\": \"0123456789abcdef0123456789abcdef\", \"public_url\": "
       << "\"https://soak.example\"},\n"
       << "\"upstream\": {\"type\": \"scraper\", \"url\": \"http://127.0.0.1:9\", \"token\": "
       << "\"none\"},\n"
       << "\"mail\": {\"transport\": \"maildir\", \"path\": \"" << directory_ << "/maildir\"},\n"
       << "\"kv_namespaces\": [{\"binding\": \"KV\", \"id\": \"" << kNamespace << "\"}],\n"
       << "\"mirror\": {\"mode\": \"logical\", \"namespace\": \"KV\", \"heartbeat\": \"100ms\", "
       << "\"rules\": " << kRulesJson << "}\n}\n";
  file.close();
  if (!file || ::chmod(path.c_str(), 0600) != 0) return {Code::kIoError, "could not write " + path};
  return {};
}

Status MirrorWorld::prepare() {
  Status done = write_config();
  if (!done.ok()) return done;
  data_ = sql.run("show data_directory").value();
  if (data_.empty()) return {Code::kUnavailable, "PostgreSQL does not answer"};
  const std::string config = directory_ + "/edged.jsonc";
  const std::string log = directory_ + "/migrate.log";
  if (run_program({program_, "migrate", "--app-schema", "-c", config}, log) != 0) {
    return {Code::kInternal, "edged migrate failed: see " + log};
  }
  MirrorSql application(sql_url());
  const MirrorSql::Answer made = application.run(kTablesSql);
  if (!made.ok()) return {Code::kInternal, made.error};
  node.start();
  done = wait_for_node();
  if (!done.ok()) return done;
  const auto created = client_.create_namespace("soak", kNamespace);
  return created ? Status() : created.error();
}

Status MirrorWorld::wait_for_node() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  Status asked = client_.ping();
  while (!asked.ok() && std::chrono::steady_clock::now() < end) {
    if (node.ended()) return {Code::kUnavailable, "the node ended by itself"};
    std::this_thread::sleep_for(kPoll);
    asked = client_.ping();
  }
  return asked;
}

Status MirrorWorld::copy(const std::string& from, const std::string& to) const {
  const std::string log = directory_ + "/copy.log";
  if (run_program({"/bin/rm", "-rf", to}, log) != 0 ||
      run_program({"/bin/cp", "-a", from, to}, log) != 0) {
    return {Code::kIoError, "could not copy the cluster: see " + log};
  }
  return {};
}

Status MirrorWorld::back_up() {
  proxy.stall(std::chrono::milliseconds(0), false);  // else PostgreSQL waits for what it has sent
  cluster.stop();
  const Status copied = copy(data_, data_ + ".backup");
  cluster.start();
  backed_up_ = copied.ok();
  return copied;
}

Status MirrorWorld::restore() {
  cluster.stop_immediately();
  const Status copied = copy(data_ + ".backup", data_);
  cluster.start();
  return copied;
}

}  // namespace edged::soak
