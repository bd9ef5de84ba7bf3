// SPDX-License-Identifier: Apache-2.0
// Any HTTP API that answers JSON: a URL with the section's number and term in it, and JSON pointers
// (RFC 6901) to the fields of the answer. One question per section. Retries and concurrency
// are the Fetcher's business. On the HTTP client's thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "worker/http/http_client.h"
#include "worker/upstream/attempt.h"
#include "worker/upstream/json_fields.h"

namespace edged::upstream {

// How an answer becomes an observation.
struct JsonReading {
  JsonFields fields;
  JsonDefaults defaults{};
  JsonValues values{};
};

struct JsonOptions {
  std::string url;    // "https://host/classes?term={term}&number={class_nbr}"
  std::string token;  // sent as bearer token; empty: none
  JsonReading reading;
  std::chrono::milliseconds timeout{90'000};
  // If given, asked for each request in place of `token`: a token that may be replaced.
  std::function<std::string()> current_token{};
};

class JsonSource final : public AttemptSource {
 public:
  // `client` must outlive the source and every attempt. Requires what the checks accept.
  JsonSource(http::HttpClient& client, JsonOptions options);

  boost::asio::awaitable<Attempt> attempt(SectionKey section, std::string run_id) override;

 private:
  http::HttpClient& client_;
  const JsonOptions options_;
};

// The URL for a section: its parts percent-encoded. Pure.
std::string expand_url(std::string_view url, const SectionKey& section);

// Each field is judged alone: a field that is missing, null or of no use is unknown, or its default
// if the answer tells any seats; a blank instructor or an empty list of them is "": nobody is
// assigned. A cancelled section has 0 seats available; its non-reserved seats and its instructor
// are unknown. Bad characters are repaired (answer_json.h). Errors: kNotFound: the answer has no
// such section; kCorruption: it is not JSON, the list is no list, or the section has none of the
// fields. Pure.
Result<SectionObservation> parse_json_answer(std::string_view body,
                                             const JsonReading& reading,
                                             const SectionKey& section);

}  // namespace edged::upstream
