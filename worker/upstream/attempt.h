// SPDX-License-Identifier: Apache-2.0
// One try at asking a source, with what the retry, rate and circuit rules need to know beyond the
// Status: how it failed, and how long the upstream asked to be left alone. A source implements
// attempt(); the Fetcher decorates it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "worker/upstream/section_source.h"

namespace edged::upstream {

enum class Outcome {
  kAnswered,     // the section's state
  kNoSection,    // success:false
  kTransport,    // no connection, connection lost
  kTimeout,      // no answer within the deadline
  kThrottled,    // 429
  kOverloaded,   // 503
  kServerError,  // any other 5xx
  kRejected,     // any other 4xx: the question or the token is wrong
  kUnparsable,   // an answer that cannot be understood
};
constexpr std::size_t kOutcomeCount = 9;

// The name in metrics: "answered", "no_section", "transport", ...
constexpr std::string_view outcome_name(Outcome outcome) {
  constexpr std::string_view kNames[kOutcomeCount] = {"answered",
                                                      "no_section",
                                                      "transport",
                                                      "timeout",
                                                      "throttled",
                                                      "overloaded",
                                                      "server_error",
                                                      "rejected",
                                                      "unparsable"};
  return kNames[static_cast<std::size_t>(outcome)];
}

struct Attempt {
  Outcome outcome;
  Result<SectionObservation> result;
  std::optional<std::chrono::milliseconds> retry_after;
};

class AttemptSource : public SectionSource {
 public:
  // Applies its own deadline; a cancelled attempt is kTransport.
  virtual boost::asio::awaitable<Attempt> attempt(SectionKey section, std::string run_id) = 0;

  boost::asio::awaitable<Result<SectionObservation>> fetch(SectionKey section,
                                                           std::string run_id) override {
    Attempt tried = co_await attempt(std::move(section), std::move(run_id));
    co_return std::move(tried.result);
  }
};

}  // namespace edged::upstream
