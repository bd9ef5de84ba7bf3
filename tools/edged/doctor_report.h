// SPDX-License-Identifier: Apache-2.0
// What `edged doctor` finds: one line per check with how bad it is, and how to mend it. Checks add
// to a report; the report is printed as a table or as JSON. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edged::doctor {

enum class Severity {
  kOk,       // was looked at, and is as it should be
  kNote,     // worth knowing; nothing has to be done
  kWarning,  // works, with a risk
  kError,    // does not work, or is about to stop working
};

// "ok", "note", "warning", "error".
std::string_view severity_name(Severity severity);

struct Finding {
  Severity severity = Severity::kOk;
  std::string check;  // "disk", "clock", …
  std::string what;   // one sentence
  std::string fix;    // the command or the key that mends it; empty: nothing has to be done
};

class Report {
 public:
  void ok(std::string check, std::string what);
  void note(std::string check, std::string what, std::string fix = {});
  void warn(std::string check, std::string what, std::string fix);
  void error(std::string check, std::string what, std::string fix);
  // `message` says what is wrong and what to do, as messages of this program do. The two are taken
  // apart where the advice begins (". Run: …", ": set …"); without any, `fix` is the advice.
  void add_message(Severity severity,
                   std::string check,
                   const std::string& message,
                   std::string fix);

  const std::vector<Finding>& findings() const { return findings_; }
  std::size_t count(Severity severity) const;
  // Neither warnings nor errors.
  bool clean() const { return count(Severity::kWarning) + count(Severity::kError) == 0; }

 private:
  std::vector<Finding> findings_;
};

// A table, then one line that sums up. Control characters of other people's texts are escaped.
std::string to_table(const Report& report);
// {"ok":false,"errors":1,"warnings":0,"findings":[{"severity":"error","check":"disk","what":"…",
//  "fix":"…"}]}
std::string to_json(const Report& report);

}  // namespace edged::doctor
