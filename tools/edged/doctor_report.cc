// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/doctor_report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "proto/base/printable.h"
#include "proto/json/write_json.h"

namespace edged::doctor {
namespace {

// Where advice begins in a message; what comes before ends the sentence.
constexpr std::string_view kAdvice[] = {". Run: ",
                                        ": run: ",
                                        ". Run ",
                                        ". As a superuser run: ",
                                        ". Grant ",
                                        ". As its owner run: ",
                                        ", run: ",
                                        ": run ",
                                        ". Drop ",
                                        "; set ",
                                        ". For a new installation run: ",
                                        ". Use ",
                                        ". Set ",
                                        ": set ",
                                        ": grant ",
                                        ": give ",
                                        ": add ",
                                        ": name ",
                                        ": change ",
                                        ": drop ",
                                        ": raise "};

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(width, out.size()), ' ');
  return out;
}

std::string counted(std::size_t count, const char* noun) {
  std::string text = std::to_string(count);
  text.append(" ").append(noun);
  if (count != 1) text += "s";
  return text;
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "unknown";
}

void Report::ok(std::string check, std::string what) {
  findings_.push_back({Severity::kOk, std::move(check), std::move(what), {}});
}

void Report::note(std::string check, std::string what, std::string fix) {
  findings_.push_back({Severity::kNote, std::move(check), std::move(what), std::move(fix)});
}

void Report::warn(std::string check, std::string what, std::string fix) {
  findings_.push_back({Severity::kWarning, std::move(check), std::move(what), std::move(fix)});
}

void Report::error(std::string check, std::string what, std::string fix) {
  findings_.push_back({Severity::kError, std::move(check), std::move(what), std::move(fix)});
}

void Report::add_message(Severity severity,
                         std::string check,
                         const std::string& message,
                         std::string fix) {
  std::size_t end = std::string::npos;
  for (const std::string_view begin : kAdvice) end = std::min(end, message.find(begin));
  if (end == std::string::npos) {
    findings_.push_back({severity, std::move(check), message, std::move(fix)});
    return;
  }
  std::string advice = message.substr(end + 2);
  for (const std::string_view word : {"Run: ", "run: "}) {
    if (advice.starts_with(word)) advice.erase(0, word.size());
  }
  findings_.push_back({severity, std::move(check), message.substr(0, end), std::move(advice)});
}

std::size_t Report::count(Severity severity) const {
  return static_cast<std::size_t>(
      std::count_if(findings_.begin(), findings_.end(), [severity](const Finding& finding) {
        return finding.severity == severity;
      }));
}

std::string to_table(const Report& report) {
  std::size_t width = 0;
  for (const Finding& finding : report.findings()) width = std::max(width, finding.check.size());
  constexpr std::size_t kSeverityWidth = 9;
  std::string text;
  for (const Finding& finding : report.findings()) {
    text += padded(severity_name(finding.severity), kSeverityWidth);
    text += padded(finding.check, width + 2);
    text.append(printable(finding.what)).append("\n");
    if (finding.fix.empty()) continue;
    text.append(kSeverityWidth + width + 2, ' ');
    text.append("fix: ").append(printable(finding.fix)).append("\n");
  }
  const std::size_t errors = report.count(Severity::kError);
  const std::size_t warnings = report.count(Severity::kWarning);
  if (report.clean()) {
    text += "nothing to mend\n";
  } else {
    text.append(counted(errors, "error")).append(", ");
    text.append(counted(warnings, "warning")).append("\n");
  }
  return text;
}

std::string to_json(const Report& report) {
  boost::json::array findings;
  for (const Finding& finding : report.findings()) {
    boost::json::object object;
    object["severity"] = std::string(severity_name(finding.severity));
    object["check"] = finding.check;
    object["what"] = finding.what;
    object["fix"] = finding.fix;
    findings.push_back(std::move(object));
  }
  boost::json::object object;
  object["ok"] = report.clean();
  object["errors"] = report.count(Severity::kError);
  object["warnings"] = report.count(Severity::kWarning);
  object["findings"] = std::move(findings);
  return write_json(object);
}

}  // namespace edged::doctor
