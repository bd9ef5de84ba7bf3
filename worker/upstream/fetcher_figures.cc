// SPDX-License-Identifier: Apache-2.0
#include "worker/upstream/fetcher_figures.h"

#include <boost/json.hpp>
#include <utility>

namespace edged::upstream {

boost::json::object describe(const FetcherFigures& figures) {
  boost::json::object outcomes;  // those that occurred
  std::uint64_t requests = 0;
  for (std::size_t i = 0; i < figures.requests.size(); ++i) {
    requests += figures.requests[i];
    if (figures.requests[i] == 0) continue;
    outcomes[outcome_name(static_cast<Outcome>(i))] = figures.requests[i];
  }
  boost::json::object object;
  object["requests"] = requests;
  object["outcomes"] = std::move(outcomes);
  object["retries"] = figures.retries;
  object["refused"] = figures.refused;
  object["window"] = figures.window;
  object["circuit"] = circuit_state_name(figures.circuit);
  if (figures.circuit_open_until) {
    object["circuit_open_until"] = format_rfc3339(*figures.circuit_open_until);
    object["circuit_reason"] = figures.circuit_reason;
  }
  return object;
}

}  // namespace edged::upstream
