// SPDX-License-Identifier: Apache-2.0
#include "worker/cron/run_json.h"

#include <boost/json.hpp>
#include <utility>

namespace edged::worker {
namespace json = boost::json;

namespace {

// A text that should be JSON; if it is not, the text itself.
json::value parsed_or_text(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return error ? json::value(text) : value;
}

}  // namespace

std::optional<double> duration_seconds(const RunRecord& run) {
  if (!run.finished_at) return std::nullopt;
  return std::chrono::duration<double>(*run.finished_at - run.started_at).count();
}

json::object describe_run(const RunRecord& run) {
  json::object object{{"run_id", run.run_id},
                      {"cause", run.cause},
                      {"status", run.status},
                      {"due_at", format_rfc3339(run.due_at)},
                      {"started_at", format_rfc3339(run.started_at)}};
  object["finished_at"] =
      run.finished_at ? json::value(format_rfc3339(*run.finished_at)) : json::value(nullptr);
  if (!run.summary_json.empty()) object["summary"] = parsed_or_text(run.summary_json);
  if (!run.error.empty()) object["error"] = run.error;
  return object;
}

json::object describe_history(const std::vector<RunRecord>& runs) {
  json::array described;
  for (const RunRecord& run : runs) {
    json::object object = describe_run(run);
    object["attempts"] = run.attempts;
    const std::optional<double> seconds = duration_seconds(run);
    object["duration_seconds"] = seconds ? json::value(*seconds) : json::value(nullptr);
    described.push_back(std::move(object));
  }
  return json::object{{"runs", std::move(described)}};
}

bool has_no_sections(const std::string& summary_json) {
  boost::system::error_code not_json;
  const boost::json::value summary = boost::json::parse(summary_json, not_json);
  const boost::json::object* object = summary.if_object();
  const boost::json::value* sections = object ? object->if_contains("sections") : nullptr;
  return sections != nullptr && sections->is_number() && sections->to_number<double>() == 0;
}

}  // namespace edged::worker
