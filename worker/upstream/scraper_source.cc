// SPDX-License-Identifier: Apache-2.0
// The scraper's question and the classes of its answers; see scraper_source.h.
#include "worker/upstream/scraper_source.h"

#include <boost/json.hpp>
#include <utility>

#include "worker/upstream/scraper_answer.h"

namespace edged::upstream {
namespace {

std::string endpoint_of(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url + "/scrape";
}

Outcome outcome_of_failure(Code code) {
  switch (code) {
    case Code::kDeadlineExceeded:
      return Outcome::kTimeout;
    case Code::kTooLarge:
    case Code::kCorruption:
      return Outcome::kUnparsable;
    case Code::kInvalidArgument:
      return Outcome::kRejected;
    default:
      return Outcome::kTransport;
  }
}

// What the source's contract calls an answer that could not be taken: kTooLarge is kCorruption
// there.
Status contract_status(const Status& status) {
  if (status.code() != Code::kTooLarge) return status;
  return Status(Code::kCorruption, status.message());
}

Attempt refused(Outcome outcome, Code code, const HttpAnswer& answer) {
  return Attempt{
      outcome,
      Status(code, "the upstream answered with HTTP status " + std::to_string(answer.status)),
      answer.retry_after};
}

Attempt judge_body(const HttpAnswer& answer) {
  Result<SectionObservation> parsed = parse_scraper_answer(answer.body);
  const Outcome outcome = parsed                             ? Outcome::kAnswered
                          : parsed.code() == Code::kNotFound ? Outcome::kNoSection
                                                             : Outcome::kUnparsable;
  return Attempt{outcome, std::move(parsed), std::nullopt};
}

}  // namespace

Attempt judge_scraper_answer(const Result<HttpAnswer>& answer) {
  if (!answer) {
    return Attempt{
        outcome_of_failure(answer.code()), contract_status(answer.error()), std::nullopt};
  }
  const int status = answer->status;
  if (status >= 200 && status < 300) return judge_body(*answer);
  if (status == 404) {
    // Some scrapers give "no such section" this status; only their own words count, not a proxy's.
    Attempt judged = judge_body(*answer);
    if (judged.outcome == Outcome::kNoSection) return judged;
  }
  if (status == 401 || status == 403) return refused(Outcome::kRejected, Code::kDenied, *answer);
  if (status == 429) return refused(Outcome::kThrottled, Code::kUnavailable, *answer);
  if (status == 503) return refused(Outcome::kOverloaded, Code::kUnavailable, *answer);
  if (status >= 500) return refused(Outcome::kServerError, Code::kUnavailable, *answer);
  if (status >= 400) return refused(Outcome::kRejected, Code::kInvalidArgument, *answer);
  return refused(Outcome::kUnparsable, Code::kCorruption, *answer);
}

ScraperSource::ScraperSource(HttpClient& client, ScraperOptions options)
    : client_(client), options_(std::move(options)), endpoint_(endpoint_of(options_.url)) {}

HttpRequest ScraperSource::make_request(const SectionKey& section, std::string run_id) const {
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint_;
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  if (!options_.token.empty())
    request.headers.emplace_back("Authorization", "Bearer " + options_.token);
  if (!run_id.empty()) request.headers.emplace_back("X-Edged-Run", std::move(run_id));
  request.body = boost::json::serialize(
      boost::json::object{{"sectionNumber", section.class_nbr}, {"term", section.term}});
  request.timeout = options_.timeout;
  return request;
}

boost::asio::awaitable<Attempt> ScraperSource::attempt(SectionKey section, std::string run_id) {
  HttpRequest request = make_request(section, std::move(run_id));
  const Result<HttpAnswer> answer = co_await client_.perform(std::move(request));
  co_return judge_scraper_answer(answer);
}

}  // namespace edged::upstream
