// SPDX-License-Identifier: Apache-2.0
// The scraper service: `POST {url}/scrape` with {"sectionNumber":"12431","term":"2261"} and a
// bearer token; one section per request. Retries and concurrency are the Fetcher's
// business. On the HTTP client's thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "worker/http/http_client.h"
#include "worker/upstream/attempt.h"
#include "worker/upstream/words.h"

namespace edged::upstream {

struct ScraperOptions {
  std::string url;    // "http://127.0.0.1:8080", with or without a path or a '/' at the end
  std::string token;  // empty: no Authorization header
  std::chrono::milliseconds timeout{90'000};
  // If given, asked for each request in place of `token`: a token that may be replaced.
  std::function<std::string()> current_token{};
  ZeroWords zero_words{};
};

class ScraperSource final : public AttemptSource {
 public:
  // `client` must outlive the source and every attempt.
  ScraperSource(http::HttpClient& client, ScraperOptions options);

  boost::asio::awaitable<Attempt> attempt(SectionKey section, std::string run_id) override;

 private:
  http::HttpRequest make_request(const SectionKey& section, std::string run_id) const;

  http::HttpClient& client_;
  const ScraperOptions options_;
  const std::string endpoint_;
};

// What an HTTP answer of the scraper, or the lack of one, means.
Attempt judge_scraper_answer(const Result<http::HttpAnswer>& answer, const ZeroWords& zero = {});

}  // namespace edged::upstream
