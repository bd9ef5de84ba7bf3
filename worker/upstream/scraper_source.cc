// SPDX-License-Identifier: Apache-2.0
// The scraper's question; see scraper_source.h.
#include "worker/upstream/scraper_source.h"

#include <boost/json.hpp>
#include <utility>

#include "proto/json/write_json.h"
#include "worker/upstream/answer_judge.h"
#include "worker/upstream/scraper_answer.h"

namespace edged::upstream {
namespace {

std::string endpoint_of(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url + "/scrape";
}

}  // namespace

Attempt judge_scraper_answer(const Result<http::HttpAnswer>& answer, const ZeroWords& zero) {
  return judge_answer(answer,
                      [&zero](std::string_view body) { return parse_scraper_answer(body, zero); });
}

ScraperSource::ScraperSource(http::HttpClient& client, ScraperOptions options)
    : client_(client), options_(std::move(options)), endpoint_(endpoint_of(options_.url)) {}

http::HttpRequest ScraperSource::make_request(const SectionKey& section, std::string run_id) const {
  http::HttpRequest request;
  request.method = "POST";
  request.url = endpoint_;
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  const std::string token = options_.current_token ? options_.current_token() : options_.token;
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  if (!run_id.empty()) request.headers.emplace_back("X-Edged-Run", std::move(run_id));
  request.body =
      write_json(boost::json::object{{"sectionNumber", section.class_nbr}, {"term", section.term}});
  request.timeout = options_.timeout;
  return request;
}

boost::asio::awaitable<Attempt> ScraperSource::attempt(SectionKey section, std::string run_id) {
  http::HttpRequest request = make_request(section, std::move(run_id));
  const Result<http::HttpAnswer> answer = co_await client_.perform(std::move(request));
  co_return judge_scraper_answer(answer, options_.zero_words);
}

}  // namespace edged::upstream
