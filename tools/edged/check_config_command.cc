// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/json/write_json.h"
#include "tools/edged/commands.h"
#include "tools/edged/config_needs.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/flags.h"

namespace edged {
namespace {

struct CheckArguments {
  Flags flags;
  bool json = false;
  std::vector<std::string> programs;  // --for
};

// What a command of edged misses in the file; nothing: the file suffices.
struct Verdict {
  std::string program;
  std::vector<config::MissingKey> missing;
};

std::vector<Verdict> judge(const config::Config& config) {
  std::vector<Verdict> verdicts;
  for (const config::Program& program : config::checked_programs()) {
    verdicts.push_back({std::string(program.name), config::missing_for(program.scope, config)});
  }
  return verdicts;
}

// "\"upstream.url\" is missing"
std::string describe(const std::vector<config::MissingKey>& missing) {
  std::string text;
  for (const config::MissingKey& key : missing) {
    text += (text.empty() ? "\"" : ", \"") + key.path + "\" " + key.message;
  }
  return text;
}

// "ok for: node, migrate; not for worker: \"upstream.url\" is missing". Commands that miss the same
// keys stand together.
std::string describe(const std::vector<Verdict>& verdicts) {
  std::string fit;
  std::vector<std::pair<std::string, std::string>> unfit;  // what is missing, and for which
  for (const Verdict& verdict : verdicts) {
    if (verdict.missing.empty()) {
      fit += (fit.empty() ? "" : ", ") + verdict.program;
      continue;
    }
    const std::string missing = describe(verdict.missing);
    const auto same = std::find_if(
        unfit.begin(), unfit.end(), [&](const auto& one) { return one.first == missing; });
    if (same == unfit.end()) {
      unfit.emplace_back(missing, verdict.program);
    } else {
      same->second += ", " + verdict.program;
    }
  }
  std::string text = "ok for: " + fit;
  for (const auto& [missing, programs] : unfit) text += "; not for " + programs + ": " + missing;
  return text;
}

boost::json::object to_json(const std::vector<Verdict>& verdicts) {
  boost::json::object programs;
  for (const Verdict& verdict : verdicts) {
    boost::json::array missing;
    for (const config::MissingKey& key : verdict.missing) {
      missing.push_back({{"path", key.path}, {"message", key.message}});
    }
    programs[verdict.program] = {{"ok", verdict.missing.empty()}, {"missing", std::move(missing)}};
  }
  return programs;
}

void print_json(const config::Loaded& loaded, const std::vector<Verdict>& verdicts, bool ok) {
  boost::json::array errors;
  for (const config::Complaint& error : loaded.errors) {
    boost::json::object object;
    object["file"] = error.file;
    object["line"] = error.position.line;
    object["column"] = error.position.column;
    object["path"] = error.path;
    object["message"] = error.message;
    errors.push_back(std::move(object));
  }
  boost::json::object object;
  object["file"] = loaded.config.file;
  object["ok"] = ok;
  object["programs"] = to_json(verdicts);
  object["errors"] = std::move(errors);
  object["warnings"] = boost::json::value_from(loaded.warnings);
  std::printf("%s\n", write_json(object).c_str());
}

void print_text(const config::Loaded& loaded, const std::vector<Verdict>& verdicts) {
  for (const config::Complaint& error : loaded.errors) {
    std::fprintf(stderr, "%s\n", error.to_string().c_str());
  }
  for (const std::string& warning : loaded.warnings) std::printf("warning: %s\n", warning.c_str());
  if (!loaded.errors.empty()) return;
  std::printf("%s: %s\n", loaded.config.file.c_str(), describe(verdicts).c_str());
}

int check(const CheckArguments& arguments) {
  config::Loaded loaded = config::load_config(load_request(arguments.flags, config::Scope::kCheck));
  if (!loaded.ignored_keys.empty()) loaded.warnings.push_back(loaded.ignored_keys);
  std::vector<Verdict> verdicts;
  if (loaded.errors.empty()) verdicts = judge(loaded.config);
  const bool fits = std::all_of(verdicts.begin(), verdicts.end(), [&](const Verdict& verdict) {
    const bool wanted =
        std::find(arguments.programs.begin(), arguments.programs.end(), verdict.program) !=
        arguments.programs.end();
    return !wanted || verdict.missing.empty();
  });
  const bool ok = loaded.errors.empty() && fits;
  if (arguments.json) {
    print_json(loaded, verdicts, ok);
  } else {
    print_text(loaded, verdicts);
    if (!fits) {
      std::fprintf(stderr,
                   "edged check-config: the file does not suffice for a program named by --for\n");
    }
  }
  return ok ? kExitDone : kExitUsage;
}

}  // namespace

void add_check_config_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = program.add_subcommand(
      "check-config",
      "Check the configuration: list what is wrong, and for which programs it suffices");
  std::vector<std::string> names;
  for (const config::Program& one : config::checked_programs()) names.emplace_back(one.name);
  command
      ->add_option("--for",
                   arguments->programs,
                   "Exit with 2 unless the file suffices for this program; may be repeated")
      ->type_name("PROGRAM")
      ->check(CLI::IsMember(names));
  command->add_flag("--json", arguments->json, "Print the result as one JSON object");
  add_file_flags(*command, arguments->flags);
  add_node_flags(*command, arguments->flags);
  add_worker_flags(*command, arguments->flags);
  command->callback([arguments, &exit_code] { exit_code = check(*arguments); });
}

}  // namespace edged
