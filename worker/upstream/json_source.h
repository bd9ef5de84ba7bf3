// SPDX-License-Identifier: Apache-2.0
// Any HTTP API that answers JSON: a URL with the section's number and term in it, and JSON pointers
// (RFC 6901) to the fields of the answer. One question per section. It neither retries nor bounds
// its concurrency: the Fetcher does. On the HTTP client's thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "worker/upstream/attempt.h"
#include "worker/upstream/http_client.h"
#include "worker/upstream/json_fields.h"

namespace edged::upstream {

struct JsonOptions {
  std::string url;    // "https://host/classes?term={term}&number={class_nbr}"
  std::string token;  // sent as bearer token; empty: none
  JsonFields fields;
  JsonDefaults defaults{};
  std::chrono::milliseconds timeout{90'000};
  // If given, asked for each request in place of `token`: a token that may be replaced.
  std::function<std::string()> current_token{};
};

class JsonSource final : public AttemptSource {
 public:
  // `client` must outlive the source and every attempt. Requires what the checks accept.
  JsonSource(HttpClient& client, JsonOptions options);

  boost::asio::awaitable<Attempt> attempt(SectionKey section, std::string run_id) override;

 private:
  HttpClient& client_;
  const JsonOptions options_;
};

// The URL for a section: its parts percent-encoded. Pure.
std::string expand_url(std::string_view url, const SectionKey& section);

// Errors: kNotFound: the answer has no such section; kCorruption: it is not JSON, the list is none,
// or the section has none of the fields. Each field is judged alone: what is missing, null or of no
// use is unknown, or its default if the answer tells any seats; a blank instructor or an empty list
// of them is "": nobody is assigned. Pure.
Result<SectionObservation> parse_json_answer(std::string_view body,
                                             const JsonFields& fields,
                                             const SectionKey& section,
                                             const JsonDefaults& defaults = {});

}  // namespace edged::upstream
