// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md and the code name the same keys.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tools/edged/config_sections.h"

namespace edged::config {
namespace {

using Keys = std::set<std::string>;

// Every object that a configuration may have, so that each reader is asked once.
constexpr const char* kAllSections = R"({
  "node": { "tls": {} }, "kv_namespaces": [{}], "postgres": {}, "triggers": {},
  "jobs": { "class-monitor": {} }, "worker": {},
  "upstream": { "fields": {}, "defaults": {}, "zero_words": {} }, "mail": {},
  "queues": { "producers": [{}], "consumers": [{}] }, "queue_push": [{}],
  "mirror": { "rules": [{ "value": {} }] } })";

// The keys with values of their own: not those that only hold others.
Keys leaves_of(const Keys& all) {
  Keys leaves;
  for (const std::string& key : all) {
    bool holds_others = false;
    for (const std::string& other : all) {
      holds_others = holds_others || other.starts_with(key + ".") || other.starts_with(key + "[]");
    }
    if (!holds_others) leaves.insert(key);
  }
  return leaves;
}

Keys known_to_the_code() {
  Json document;
  JsonError error;
  EXPECT_TRUE(parse_jsonc(kAllSections, document, error)) << error.message;
  ReadContext context;
  context.environment = [](const std::string&) { return std::nullopt; };
  Config config;
  (void)read_document(document, Scope::kCheck, context, config);
  return leaves_of(context.known_paths);
}

// What stands before the keys of a section's tables.
std::string prefix_of(const std::string& heading) {
  if (heading == "triggers, jobs" || heading == "Top level") return "";
  if (heading == "kv_namespaces" || heading == "queue_push") return heading + "[].";
  return heading + ".";
}

// The names in backquotes of a table's first cell.
std::vector<std::string> names_in(const std::string& row) {
  const std::string cell = row.substr(0, row.find(" | "));
  std::vector<std::string> names;
  const std::regex quoted("`([^`]+)`");
  for (std::sregex_iterator one(cell.begin(), cell.end(), quoted), end; one != end; ++one) {
    names.push_back((*one)[1]);
  }
  return names;
}

Keys documented() {
  std::ifstream file(std::string(EDGED_SOURCE_DIR) + "/docs/configuration.md");
  EXPECT_TRUE(file.is_open());
  Keys keys;
  std::string line, section;
  bool in_table = false;
  while (std::getline(file, line)) {
    if (line.starts_with("## ")) section = line.substr(3);
    if (line.starts_with("| key |")) in_table = true;
    if (!line.starts_with("|")) in_table = false;
    if (!in_table || line.starts_with("| key |") || line.starts_with("| ---")) continue;
    for (std::string name : names_in(line)) {
      if (const std::size_t dots = name.find("…."); dots == 0) {
        name = "jobs.class-monitor." + name.substr(std::string("….").size());
      }
      if (name.ends_with("[]")) name.resize(name.size() - 2);
      keys.insert(prefix_of(section) + name);
    }
  }
  return keys;
}

TEST(ConfigReferenceTest, EveryKeyThatTheCodeReadsIsDocumented) {
  const Keys documents = documented();
  for (const std::string& key : known_to_the_code()) {
    EXPECT_TRUE(documents.contains(key)) << key << " is missing in docs/configuration.md";
  }
}

TEST(ConfigReferenceTest, EveryDocumentedKeyIsReadByTheCode) {
  const Keys code = known_to_the_code();
  for (const std::string& key : leaves_of(documented())) {
    EXPECT_TRUE(code.contains(key)) << key << " in docs/configuration.md does not exist";
  }
}

TEST(ConfigReferenceTest, BothListsAreLong) {
  EXPECT_GT(known_to_the_code().size(), 110u);
  EXPECT_GT(documented().size(), 110u);
}

}  // namespace
}  // namespace edged::config
