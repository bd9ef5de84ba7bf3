// SPDX-License-Identifier: Apache-2.0
// Configuration files in a temporary directory, with an environment made of a map. One thread.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <string>

#include "tests/support/temp_dir.h"
#include "tools/edged/config_check.h"
#include "tools/edged/config_parse.h"

namespace edged::config {

inline constexpr const char* kWorkerBasics =
    R"("postgres": { "url": "postgres://db" }, "upstream": { "url": "http://up" },
       "triggers": { "crons": ["0 * * * *"] }, "worker": { "cron_secret": "s" })";

class ConfigTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    // Secrets in a file that everybody can read are warned of.
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return path;
  }
  Loaded load(const std::string& text, Scope scope = Scope::kAll) {
    request_.file = write("edged.jsonc", text);
    request_.scope = scope;
    request_.environment = [this](const std::string& name) {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional<std::string>(found->second);
    };
    return load_config(request_);
  }
  // All complaints with the directory cut off, one a line.
  std::string complaints(const Loaded& loaded) {
    std::string all;
    for (const Complaint& error : loaded.errors) {
      std::string line = error.to_string();
      if (line.rfind(directory_.path() + "/", 0) == 0) line.erase(0, directory_.path().size() + 1);
      all += line + "\n";
    }
    return all;
  }

  test::TempDir directory_;
  std::map<std::string, std::string> environment_;
  LoadRequest request_;
};

inline std::string with_worker(const std::string& more) {
  return "{" + std::string(kWorkerBasics) + ",\n" + more + "}";
}

}  // namespace edged::config
