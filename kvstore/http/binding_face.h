// SPDX-License-Identifier: Apache-2.0
// The Workers binding face: an HTTP server on an address of its own that a real workerd uses as the
// service of a kvNamespace binding, so that a Worker's env.KV reads and writes this node. It
// translates each request into an operation. Namespaces are named by the header X-KV-Namespace or
// by the host name; nothing but a missing key is answered 404. Thread: the executor's.
// Source: docs/workers-binding.md.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "kvstore/operations/operations.h"
#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "proto/http/server.h"

namespace edged::kv_http {

class BindingFace {
 public:
  // `server.hosts` are names of the node; NAME.HOST is then the namespace NAME, too. `operations`
  // and `clock` outlive the object.
  BindingFace(boost::asio::any_io_executor executor,
              http::ServerOptions server,
              operations::Operations& operations,
              const Clock& clock,
              storage::Durability durability);
  ~BindingFace();

  // As http::Server.
  Status listen();
  std::string address() const;
  boost::asio::awaitable<void> drain(std::chrono::milliseconds timeout);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edged::kv_http
