// SPDX-License-Identifier: Apache-2.0
// The checks of doctor_worker.h that ask others than PostgreSQL, and all of them in order.
#include "tools/edged/doctor_worker.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "proto/base/metrics.h"
#include "proto/base/read_file.h"
#include "proto/net/spawn.h"
#include "tools/edged/doctor_machine.h"
#include "tools/edged/doctor_node.h"
#include "tools/edged/duties.h"
#include "tools/edged/mail_transport.h"
#include "tools/edged/postgres_options.h"
#include "tools/edged/upstream_parts.h"
#include "worker/http/http_client.h"
#include "worker/upstream/attempt.h"

namespace edged::doctor {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using upstream::Outcome;

constexpr milliseconds kPatience{15'000};
constexpr std::uint64_t kMiB = 1ULL << 20;

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string how_to_reach_upstream(Outcome outcome, Code code) {
  if (code == Code::kDenied) return "see upstream.token or upstream.token_file";
  switch (outcome) {
    case Outcome::kTransport:
      return "see upstream.url, upstream.proxy and upstream.tls_ca, and whether the service runs";
    case Outcome::kTimeout:
      return "see whether the service answers at all, or raise upstream.timeout";
    case Outcome::kThrottled:
    case Outcome::kOverloaded:
      return "lower upstream.concurrency, or ask the service for a higher rate";
    case Outcome::kUnparsable:
      return "see upstream.type and upstream.fields; docs/class-monitor.md has the form of answers";
    default:
      return "see upstream.url and the service's log";
  }
}

void tell_attempt(const config::Config& config,
                  const Question& question,
                  const upstream::Attempt& attempt,
                  Report& report) {
  const std::string at = http::printable_url(config.upstream.url);
  const std::string section =
      question.made_up ? "a section that does not exist" : "section " + question.section.class_nbr;
  if (attempt.outcome == Outcome::kAnswered) {
    report.ok("upstream", at + " answers for " + section);
    return;
  }
  if (attempt.outcome == Outcome::kNoSection) {
    if (question.made_up) return report.ok("upstream", at + " answers that it lacks " + section);
    return report.warn("upstream",
                       at + " answers, but does not know " + section + ", which somebody watches",
                       "see number and term of the watch in public.class_watches");
  }
  const Status& failure = attempt.result.error();
  // Services differ in what they say of a section that does not exist.
  const bool may_be_fine =
      question.made_up &&
      (attempt.outcome == Outcome::kUnparsable ||
       (attempt.outcome == Outcome::kRejected && failure.code() != Code::kDenied));
  if (may_be_fine) {
    return report.note(
        "upstream",
        at + " answers; what it says of " + section + " proves no more: " + failure.message());
  }
  report.error("upstream",
               at + ": " + failure.message(),
               how_to_reach_upstream(attempt.outcome, failure.code()));
}

void tell_smtp(const config::Config& config, const mail::Delivery& answer, Report& report) {
  const std::string at = mail_destination(config);
  if (answer.outcome == mail::Delivery::Outcome::kAccepted) {
    report.ok("mail", at + " lets this machine in. A mail: edged mail test ADDRESS");
    return;
  }
  const bool is_login = answer.detail.find("AUTH") != std::string::npos;
  const bool is_tls = answer.detail.find("TLS") != std::string::npos ||
                      answer.detail.find("certificate") != std::string::npos;
  std::string fix = "see mail.url, and whether the server runs";
  if (is_tls) fix = "see mail.tls and mail.tls_ca";
  if (is_login) fix = "see mail.user and mail.password or mail.password_file";
  report.error("mail", at + ": " + answer.detail, fix);
}

void check_smtp(const config::Config& config, Report& report) {
  mail::SmtpOptions options = smtp_options(config.mail);
  options.connections_max = 1;
  options.connect_timeout = kPatience;
  options.reply_timeout = std::chrono::duration_cast<std::chrono::seconds>(kPatience);
  mail::SmtpTransport transport(std::move(options));
  tell_smtp(config, transport.probe(), report);
}

// The name of an error in a provider's answer.
std::string error_name(const std::string& body) {
  boost::system::error_code ignored;
  const boost::json::value value = boost::json::parse(body, ignored);
  const boost::json::object* const object = value.if_object();
  const boost::json::value* const name = object == nullptr ? nullptr : object->if_contains("name");
  return name != nullptr && name->is_string() ? std::string(name->get_string().c_str())
                                              : std::string();
}

void tell_resend(const std::string& at, const http::HttpAnswer& answer, Report& report) {
  constexpr const char* kFix = "see mail.token or mail.token_file; make a key at the provider";
  const std::string name = error_name(answer.body);
  if (answer.status / 100 == 2) {
    report.ok("mail", at + " accepts the key. A mail: edged mail test ADDRESS");
  } else if (name == "restricted_api_key") {
    report.ok("mail", at + " accepts the key, for sending only. A mail: edged mail test ADDRESS");
  } else if (answer.status == 401 || answer.status == 403 || name == "validation_error") {
    report.error(
        "mail", at + " refuses the key: HTTP " + std::to_string(answer.status) + " " + name, kFix);
  } else if (answer.status / 100 == 5) {
    report.error("mail", at + " answers HTTP " + std::to_string(answer.status), "try again later");
  } else {
    report.note(
        "mail",
        at + " answers; whether it takes the key shows only a mail: edged mail test ADDRESS");
  }
}

asio::awaitable<void> check_resend(const config::Config& config, Report& report) {
  const mail::ResendOptions options = resend_options(config.mail);
  const std::string at = mail_destination(config);
  const Result<std::string> token =
      options.token ? options.token() : Result<std::string>(std::string());
  if (!token || token->empty()) {
    report.error("mail", "there is no key for " + at, "set mail.token_file");
    co_return;
  }
  // Of other services that speak the same protocol nothing is known.
  if (config.mail.url.empty() && !token->starts_with("re_")) {
    report.error(
        "mail", "the key does not begin with \"re_\", as Resend's do", "see mail.token_file");
    co_return;
  }
  http::HttpClientOptions client_options;
  client_options.ca_file = options.ca_file;
  const auto executor = co_await asio::this_coro::executor;
  http::HttpClient client(executor, std::move(client_options));
  http::HttpRequest request;
  request.url = options.url + "/domains";
  request.headers.emplace_back("Authorization", "Bearer " + *token);
  request.timeout = kPatience;
  const Result<http::HttpAnswer> answer = co_await client.perform(std::move(request));
  if (answer) {
    tell_resend(at, *answer, report);
  } else {
    report.error("mail", at + ": " + answer.error().message(), "see mail.url and mail.tls_ca");
  }
}

std::string port_in(const std::string& ports_file) {
  const Result<FileContent> content = read_small_file(ports_file, 4096);
  if (!content) return {};
  boost::system::error_code ignored;
  const boost::json::value value = boost::json::parse(content->bytes, ignored);
  const boost::json::object* const object = value.if_object();
  const boost::json::value* const http =
      object == nullptr ? nullptr : object->if_contains("worker_http");
  return http != nullptr && http->is_string() ? std::string(http->get_string().c_str())
                                              : std::string();
}

asio::awaitable<bool> ask_others(const config::Config& config, Report& report) {
  const Duties duties = duties_of(config);
  MetricsRegistry metrics;
  db::PgPoolOptions options = pool_options(config, "edged doctor");
  options.size = 1;
  const auto executor = co_await asio::this_coro::executor;
  db::PgPool pool(executor, std::move(options), metrics);
  const bool reached = co_await check_postgres(config, report);
  Question question{{"00000", "0000"}, true};
  if (reached) {
    co_await check_schema(pool, config, report);
    co_await check_mirror(pool, config, report);
    question = co_await choose_question(pool);
  }
  const bool asks = duties.jobs || duties.mail;
  if (asks && !config.upstream.url.empty()) {
    co_await check_upstream(config, std::move(question), report);
  }
  if (duties.mail) co_await check_mail(config, report);
  co_await check_running_worker(config, report);
  co_return reached;
}

}  // namespace

asio::awaitable<void> check_upstream(const config::Config& config,
                                     Question question,
                                     Report& report) {
  config::Config patient = config;
  patient.upstream.timeout = std::min(config.upstream.timeout, kPatience);
  const auto executor = co_await asio::this_coro::executor;
  http::HttpClient client(executor, upstream_client_options(patient));
  const auto source = make_upstream_source(client, patient);
  const std::string who = "edged-doctor";
  const upstream::Attempt attempt = co_await source->attempt(question.section, who);
  tell_attempt(config, question, attempt, report);
}

asio::awaitable<void> check_mail(const config::Config& config, Report& report) {
  if (config.mail.transport == "smtp") {
    check_smtp(config, report);
  } else if (config.mail.transport == "resend") {
    co_await check_resend(config, report);
  } else {
    check_directory({"mail", config.maildir_path(), "mail.path", kMiB, 64 * kMiB}, report);
    report.note("mail",
                std::string("mails are written to ") + config.maildir_path() +
                    " and leave this machine only if "
                    "a program takes them from there",
                "set mail.transport to \"smtp\" or \"resend\" to send them");
  }
  if (config.worker.public_url.empty()) {
    report.note("mail", "worker.public_url is not set: mails carry no link to the application");
  }
}

asio::awaitable<void> check_running_worker(const config::Config& config, Report& report) {
  const std::string address = port_in(config.worker.state_dir + "/worker-ports.json");
  if (address.empty()) {
    report.warn(
        "worker",
        std::string("no worker runs on worker.state_dir ") + quoted(config.worker.state_dir),
        "edged serve -c " + config.file);
    co_return;
  }
  const auto executor = co_await asio::this_coro::executor;
  http::HttpClient client(executor, http::HttpClientOptions{});
  http::HttpRequest request;
  request.url = "http://" + address + "/readyz";
  request.timeout = kPatience;
  const Result<http::HttpAnswer> answer = co_await client.perform(std::move(request));
  if (!answer) {
    report.warn("worker",
                "the worker at " + address + " does not answer: " + answer.error().message(),
                "see its log, and start it again: edged serve -c " + config.file);
  } else if (answer->status != 200) {
    report.error("worker",
                 "the worker at " + address + " is not ready: " + answer->body,
                 "mend what the findings above name, and see the worker's log");
  } else {
    report.ok("worker", "ready at " + address);
  }
}

void check_worker(asio::io_context& io, const config::Config& config, Report& report) {
  check_directory({"disk", config.worker.state_dir, "worker.state_dir", kMiB, 64 * kMiB}, report);
  check_worker_exposure(config, report);
  (void)net::run_until_done(io, ask_others(config, report));
}

}  // namespace edged::doctor
