// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/cron_http.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <memory>
#include <utility>

#include "proto/http/bearer_secret.h"
#include "proto/json/write_json.h"
#include "worker/cron/run_json.h"

namespace edged::worker {
namespace json = boost::json;
using boost::asio::awaitable;

namespace {

constexpr std::string_view kPrefix = "/cron/";

struct Routes : CronRoutes {
  Routes(CronRoutes given, const Clock& its_clock)
      : CronRoutes(std::move(given)), clock(its_clock) {}
  const Clock& clock;
};

http::Response json_response(int status, const json::value& value) {
  return {status, "application/json", write_json(value) + "\n", {}};
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

// Nothing if the caller may go on.
std::optional<http::Response> refuse(const Routes& routes, const http::Request& request) {
  const std::string secret = routes.secret ? routes.secret() : std::string();
  if (secret.empty()) {
    return error_response(503,
                          "no secret is configured: set worker.cron_secret or "
                          "worker.cron_secret_file");
  }
  const auto header = request.headers.find("authorization");
  if (header != request.headers.end() && http::bearer_matches(header->second, secret)) {
    return std::nullopt;
  }
  http::Response response = error_response(
      401,
      "the header Authorization: Bearer SECRET is missing or wrong. SECRET is worker.cron_secret "
      "of the worker's configuration, or the first line of worker.cron_secret_file");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// Null: there is no such job.
const CronJob* find_job(const Routes& routes, std::string_view name) {
  const auto job = std::find_if(
      routes.jobs.begin(), routes.jobs.end(), [&](const CronJob& j) { return j.name == name; });
  return job == routes.jobs.end() ? nullptr : &*job;
}

http::Response no_job(const Routes& routes, std::string_view name) {
  std::string text = "there is no job \"" + std::string(name) + "\" on this worker";
  if (!routes.why_no_jobs.empty()) text += ": " + routes.why_no_jobs;
  return error_response(404, text);
}

awaitable<http::Response> trigger(std::shared_ptr<const Routes> routes, http::Request request) {
  std::optional<http::Response> refused = refuse(*routes, request);
  if (refused) co_return std::move(*refused);
  const std::string name = request.path.substr(kPrefix.size());
  const CronJob* job = find_job(*routes, name);
  if (job == nullptr) co_return no_job(*routes, name);
  if (routes->admit) {
    const Status admitted = co_await routes->admit();
    if (!admitted.ok()) co_return error_response(503, admitted.message());
  }
  StartRequest start{routes->clock.wall_now(), Cause::kManual, {}};
  if (const auto key = request.headers.find("idempotency-key"); key != request.headers.end()) {
    if (!is_idempotency_key(key->second)) {
      co_return error_response(400, "Idempotency-Key is not 1 to 255 printable ASCII characters");
    }
    start.idempotency_key = key->second;
  }
  const auto wait = request.query.find("wait");
  const bool waits = wait != request.query.end() && wait->second != "0";
  Result<std::int64_t> started = co_await job->runner->start(std::move(start));
  if (!started) co_return error_response(started.error());
  if (!waits) co_return json_response(202, {{"run_id", *started}});
  Result<std::string> summary = co_await job->runner->wait(*started);
  if (!summary) {
    http::Response response = error_response(summary.error());
    response.body =
        write_json(json::value{{"error", summary.error().message()}, {"run_id", *started}}) + "\n";
    co_return response;
  }
  co_return http::Response{200, "application/json", *summary + "\n", {}};
}

awaitable<http::Response> list(std::shared_ptr<const Routes> routes) {
  json::array jobs;
  for (const CronJob& job : routes->jobs) {
    json::object object = co_await describe_job(&job);
    jobs.push_back(std::move(object));
  }
  co_return json_response(200, {{"jobs", std::move(jobs)}});
}

// Nothing if the text is no number in 1..kHistoryLimitMax.
std::optional<int> parse_limit(std::string_view text) {
  int limit = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, limit);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  if (limit < 1 || limit > kHistoryLimitMax) return std::nullopt;
  return limit;
}

// Everything that is asked for by GET below /cron/.
awaitable<http::Response> tell_runs(std::shared_ptr<const Routes> routes, http::Request request) {
  constexpr std::string_view kEnd = "/runs";
  std::string_view name = std::string_view(request.path).substr(kPrefix.size());
  if (!name.ends_with(kEnd)) {
    if (find_job(*routes, name) == nullptr) co_return no_job(*routes, name);
    http::Response response = error_response(405, "GET is not known here, POST starts the job");
    response.headers.emplace_back("Allow", "POST");
    co_return response;
  }
  name.remove_suffix(kEnd.size());
  const CronJob* job = find_job(*routes, name);
  if (job == nullptr) co_return no_job(*routes, name);
  int limit = kHistoryLimitDefault;
  if (const auto given = request.query.find("limit"); given != request.query.end()) {
    const std::optional<int> parsed = parse_limit(given->second);
    if (!parsed) {
      co_return error_response(400, "limit is not in 1-" + std::to_string(kHistoryLimitMax));
    }
    limit = *parsed;
  }
  Result<std::vector<RunRecord>> runs = co_await job->runner->newest_runs(limit);
  if (!runs) co_return error_response(runs.error());
  co_return json_response(200, describe_history(*runs));
}

}  // namespace

awaitable<json::object> describe_job(const CronJob* job) {
  json::object object{{"name", job->name},
                      {"crons", json::value_from(job->schedules)},
                      {"time_zone", job->time_zone},
                      {"next_due_at", time_or_null(job->next_due())}};
  Result<std::vector<RunRecord>> last = co_await job->runner->newest_runs(1);
  if (!last) {
    object["last_run"] = nullptr;
    object["last_run_error"] = last.error().message();
  } else if (last->empty()) {
    object["last_run"] = nullptr;
  } else {
    object["last_run"] = describe_run(last->front());
  }
  co_return object;
}

bool is_idempotency_key(std::string_view text) {
  constexpr std::size_t kBytesMax = 255;
  return !text.empty() && text.size() <= kBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void add_cron_routes(http::Server& server, CronRoutes given, const Clock& clock) {
  const auto routes = std::make_shared<const Routes>(std::move(given), clock);
  server.route("GET", "/cron", [routes](http::Request) { return list(routes); });
  server.route("GET", std::string(kPrefix), [routes](http::Request request) {
    return tell_runs(routes, std::move(request));
  });
  server.route("POST", std::string(kPrefix), [routes](http::Request request) {
    return trigger(routes, std::move(request));
  });
}

}  // namespace edged::worker
