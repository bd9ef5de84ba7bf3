// SPDX-License-Identifier: Apache-2.0
#include "proto/http/health.h"

#include <utility>

#include "proto/http/bearer.h"

namespace edged::http {

using boost::asio::awaitable;

Response metrics_refusal(const Status& why) {
  Response response;
  response.status = why.code() == Code::kDenied ? 403 : 401;
  response.content_type = "application/json";
  response.body = why.code() == Code::kDenied
                      ? "{\"error\":\"the token lacks the scope metrics. Make one that has it: "
                        "kvctl token create NAME --scope metrics\"}\n"
                      : "{\"error\":\"a valid token is required. Send the header Authorization: "
                        "Bearer TOKEN with a token that has the scope metrics; kvctl token create "
                        "NAME --scope metrics makes one\"}\n";
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

void add_health_routes(Server& server,
                       MetricsRegistry& metrics,
                       std::function<Status()> ready,
                       MayRead may_read_metrics) {
  server.add_health_path("/healthz");
  server.add_health_path("/readyz");
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
  server.route(
      "GET", "/metrics", [&metrics, may_read_metrics](Request request) -> awaitable<Response> {
        const Status may =
            may_read_metrics ? may_read_metrics(bearer_of(request.headers).value_or("")) : Status();
        if (!may.ok()) co_return metrics_refusal(may);
        Response response;
        response.content_type = "text/plain; version=0.0.4";
        response.body = metrics.render();
        co_return response;
      });
}

}  // namespace edged::http
