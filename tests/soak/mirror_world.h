// SPDX-License-Identifier: Apache-2.0
// PostgreSQL, a node, a worker and the proxy between them for the mirror's soak. One thread.
#pragma once

#include <memory>
#include <string>

#include "proto/base/status.h"
#include "proto/net/blocking_client.h"
#include "tests/soak/mirror_process.h"
#include "tests/soak/mirror_proxy.h"
#include "tests/soak/mirror_sql.h"
#include "tests/support/postgres_cluster.h"

namespace edged::soak {

class MirrorWorld {
 public:
  static constexpr const char* kNamespace = "0f2ac74b498b48028cb68387c421e279";
  static constexpr const char* kSlot = "edged_0f2ac74b498b48028cb68387c421e279";

  // `program` is the built edged; `directory` exists. Starts everything but the worker.
  MirrorWorld(std::string program, std::string directory);

  // Errors: what could not be made or started.
  Status prepare();

  std::string sql_url() const;
  std::string node_address() const;

  test::PostgresCluster& cluster;
  MirrorProxy proxy;
  MirrorProcess node, worker;
  MirrorSql sql;

  // The whole cluster, while it is stopped; returns when it runs again.
  Status back_up();
  Status restore();
  bool backed_up() const { return backed_up_; }

  // Answers when the node takes requests. Errors: kUnavailable (not in 60 s).
  Status wait_for_node();
  net::BlockingClient& client() { return client_; }

 private:
  Status write_config() const;
  Status copy(const std::string& from, const std::string& to) const;

  const std::string program_, directory_, database_;
  std::string data_;  // of PostgreSQL
  bool backed_up_ = false;
  net::BlockingClient client_;
};

}  // namespace edged::soak
