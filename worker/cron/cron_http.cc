// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/cron_http.h"

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "proto/http/request.h"

namespace edged::worker {
namespace json = boost::json;
using boost::asio::awaitable;

namespace {

struct Routes {
  std::string secret;
  std::vector<CronJob> jobs;
  const Clock& clock;
};

http::Response json_response(int status, const json::value& value) {
  return {status, "application/json", json::serialize(value) + "\n", {}};
}

http::Response error_response(int status, std::string_view why) {
  return json_response(status, {{"error", why}});
}

http::Response error_response(const Status& status) {
  switch (status.code()) {
    case Code::kConflict:
    case Code::kExists:
      return error_response(409, status.message());
    case Code::kNotFound:
      return error_response(404, status.message());
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kUnknownOutcome:
    case Code::kBusy: {
      http::Response response = error_response(503, status.message());
      response.headers.emplace_back("Retry-After", "5");
      return response;
    }
    default:
      return error_response(500, status.message());
  }
}

json::value time_or_null(const std::optional<WallTime>& time) {
  return time ? json::value(format_rfc3339(*time)) : json::value(nullptr);
}

// A text that should be JSON; if it is not, the text itself.
json::value parsed_or_text(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return error ? json::value(text) : value;
}

json::value describe(const RunRecord& run) {
  json::object object{{"run_id", run.run_id},
                      {"cause", run.cause},
                      {"status", run.status},
                      {"due_at", format_rfc3339(run.due_at)},
                      {"started_at", format_rfc3339(run.started_at)},
                      {"finished_at", time_or_null(run.finished_at)}};
  if (!run.summary_json.empty()) object["summary"] = parsed_or_text(run.summary_json);
  if (!run.error.empty()) object["error"] = run.error;
  return object;
}

// Nothing if the caller may go on.
std::optional<http::Response> refuse(const Routes& routes, const http::Request& request) {
  if (routes.secret.empty()) {
    return error_response(503, "no secret is configured: set worker.cron_secret");
  }
  const auto header = request.headers.find("authorization");
  if (header != request.headers.end() && bearer_matches(header->second, routes.secret)) {
    return std::nullopt;
  }
  http::Response response =
      error_response(401, "the header Authorization: Bearer SECRET is missing or wrong");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

awaitable<http::Response> trigger(std::shared_ptr<const Routes> routes, http::Request request) {
  std::optional<http::Response> refused = refuse(*routes, request);
  if (refused) co_return std::move(*refused);
  const std::string name = request.path.substr(std::string_view("/cron/").size());
  const auto job = std::find_if(
      routes->jobs.begin(), routes->jobs.end(), [&](const CronJob& j) { return j.name == name; });
  if (job == routes->jobs.end()) co_return error_response(404, "no job \"" + name + "\"");
  const auto wait = request.query.find("wait");
  const bool waits = wait != request.query.end() && wait->second != "0";
  Result<std::int64_t> started =
      co_await job->runner->start(routes->clock.wall_now(), Cause::kManual);
  if (!started) co_return error_response(started.error());
  if (!waits) co_return json_response(202, {{"run_id", *started}});
  Result<std::string> summary = co_await job->runner->wait(*started);
  if (!summary) {
    http::Response response = error_response(summary.error());
    response.body =
        json::serialize(json::value{{"error", summary.error().message()}, {"run_id", *started}}) +
        "\n";
    co_return response;
  }
  co_return http::Response{200, "application/json", *summary + "\n", {}};
}

awaitable<http::Response> list(std::shared_ptr<const Routes> routes) {
  json::array jobs;
  for (const CronJob& job : routes->jobs) {
    json::object object{{"name", job.name},
                        {"crons", json::value_from(job.schedules)},
                        {"time_zone", job.time_zone},
                        {"next_due_at", time_or_null(job.next_due())}};
    Result<std::optional<RunRecord>> last = co_await job.runner->last_run();
    if (!last) {
      object["last_run"] = nullptr;
      object["last_run_error"] = last.error().message();
    } else {
      object["last_run"] = *last ? describe(**last) : json::value(nullptr);
    }
    jobs.push_back(std::move(object));
  }
  co_return json_response(200, {{"jobs", std::move(jobs)}});
}

}  // namespace

bool bearer_matches(std::string_view header, std::string_view secret) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!http::equal_ignoring_case(header.substr(0, kScheme.size()), kScheme)) return false;
  const std::string_view given = header.substr(kScheme.size());
  // The time depends on what was given alone. volatile keeps the loop whole.
  volatile unsigned char difference = given.size() != secret.size() || secret.empty();
  for (std::size_t i = 0; i < given.size() && !secret.empty(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(given[i]) ^
                      static_cast<unsigned char>(secret[i % secret.size()])));
  }
  return difference == 0;
}

void add_cron_routes(http::Server& server,
                     std::string secret,
                     std::vector<CronJob> jobs,
                     const Clock& clock) {
  auto routes = std::make_shared<const Routes>(Routes{std::move(secret), std::move(jobs), clock});
  server.route("GET", "/cron", [routes](http::Request) { return list(routes); });
  server.route("POST", "/cron/", [routes](http::Request request) {
    return trigger(routes, std::move(request));
  });
}

}  // namespace edged::worker
