// SPDX-License-Identifier: Apache-2.0
#include "proto/http/health.h"

#include <utility>

namespace edged::http {

using boost::asio::awaitable;

void add_health_routes(Server& server, MetricsRegistry& metrics, std::function<Status()> ready) {
  server.route("GET", "/healthz", [](Request) -> awaitable<Response> {
    Response response;
    response.body = "ok\n";
    co_return response;
  });
  server.route("GET", "/readyz", [ready = std::move(ready)](Request) -> awaitable<Response> {
    const Status status = ready();
    Response response;
    response.status = status.ok() ? 200 : 503;
    response.body = (status.ok() ? "ready" : status.message()) + "\n";
    co_return response;
  });
  server.route("GET", "/metrics", [&metrics](Request) -> awaitable<Response> {
    Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics.render();
    co_return response;
  });
}

}  // namespace edged::http
