// SPDX-License-Identifier: Apache-2.0
// See answer_judge.h.
#include "worker/upstream/answer_judge.h"

#include <string>
#include <utility>

namespace edged::upstream {
namespace {

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
// there, and a server that is not trusted (kDenied) is kUnavailable.
Status contract_status(const Status& status) {
  if (status.code() == Code::kDenied) return Status(Code::kUnavailable, status.message());
  if (status.code() != Code::kTooLarge) return status;
  return Status(Code::kCorruption, status.message());
}

Attempt refused(Outcome outcome, Code code, const http::HttpAnswer& answer) {
  return Attempt{
      outcome,
      Status(code, "the upstream answered with HTTP status " + std::to_string(answer.status)),
      answer.retry_after};
}

// 401 and 403: the token is missing, wrong, or not for this.
Attempt denied(const http::HttpAnswer& answer) {
  return Attempt{
      Outcome::kRejected,
      Status(Code::kDenied,
             "the upstream refused the request with HTTP status " + std::to_string(answer.status) +
                 ". Set its token in upstream.token or upstream.token_file"),
      answer.retry_after};
}

Attempt judge_body(const http::HttpAnswer& answer, const ParseAnswer& parse) {
  Result<SectionObservation> parsed = parse(answer.body);
  const Outcome outcome = parsed                             ? Outcome::kAnswered
                          : parsed.code() == Code::kNotFound ? Outcome::kNoSection
                                                             : Outcome::kUnparsable;
  return Attempt{outcome, std::move(parsed), std::nullopt};
}

}  // namespace

Attempt judge_answer(const Result<http::HttpAnswer>& answer, const ParseAnswer& parse) {
  if (!answer) {
    return Attempt{
        outcome_of_failure(answer.code()), contract_status(answer.error()), std::nullopt};
  }
  const int status = answer->status;
  if (status >= 200 && status < 300) return judge_body(*answer, parse);
  if (status == 404) {
    // Some upstreams give "no such section" this status; only their own words count, not a proxy's.
    Attempt judged = judge_body(*answer, parse);
    if (judged.outcome == Outcome::kNoSection) return judged;
  }
  if (status == 401 || status == 403) return denied(*answer);
  if (status == 429) return refused(Outcome::kThrottled, Code::kUnavailable, *answer);
  if (status == 503) return refused(Outcome::kOverloaded, Code::kUnavailable, *answer);
  if (status >= 500) return refused(Outcome::kServerError, Code::kUnavailable, *answer);
  if (status >= 400) return refused(Outcome::kRejected, Code::kInvalidArgument, *answer);
  return refused(Outcome::kUnparsable, Code::kCorruption, *answer);
}

}  // namespace edged::upstream
