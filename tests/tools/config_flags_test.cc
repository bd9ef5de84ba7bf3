// SPDX-License-Identifier: Apache-2.0
// Flags and environment variables above the file, and files as editors write them.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

TEST_F(ConfigTest, FlagsBeatTheFile) {
  request_.overrides.data_dir = "/flag";
  request_.overrides.http = "127.0.0.1:9";
  request_.overrides.log_level = "error";
  const Loaded loaded =
      load(R"({ "node": { "data_dir": "/file", "http": "127.0.0.1:8" } })", Scope::kNode);
  EXPECT_EQ(loaded.config.node.data_dir, "/flag");
  EXPECT_EQ(loaded.config.node.http, "127.0.0.1:9");
  EXPECT_EQ(loaded.config.log_level, log::Level::kError);
}

TEST_F(ConfigTest, DoesNotBlameTheFileForAFlag) {
  request_.overrides.http = "bad";
  request_.overrides.listen = {"127.0.0.1:1", "worse"};
  EXPECT_EQ(complaints(load(R"({ "node": { "http": "127.0.0.1:8", "listen": ["127.0.0.1:9"] } })",
                            Scope::kNode)),
            "node.listen[1]: \"worse\" is not HOST:PORT, for example 127.0.0.1:4780 (set by "
            "--listen or EDGED_LISTEN)\n"
            "node.http: \"bad\" is not HOST:PORT, for example 127.0.0.1:4780 (set by --http or "
            "EDGED_HTTP)\n");
}

TEST_F(ConfigTest, FlagsOfTheNodeAreReadStrictly) {
  struct Case {
    std::optional<std::string> Overrides::*flag;
    std::vector<const char*> refused;
    const char* path;
  };
  const Case cases[] = {
      {&Overrides::io_threads,
       {"", "x", "010", "0x2", "+2", " 2", "2 ", "-1", "65", "1e1", "2.0", "4294967298"},
       "node.io_threads: "},
      {&Overrides::memory_budget,
       {"", "many", "-1", "1MiB", "0x10MiB", "64mb", "64 MiB x", "1e9", "nan", "99999999999TiB"},
       "node.memory_budget: "},
      {&Overrides::disk_quota, {"", "1", "-64MiB", "63MiB", "010GiB", "10G"}, "node.disk_quota: "},
      {&Overrides::durability, {"", "none", "WAL", "wal "}, "node.durability: "},
      {&Overrides::recovery, {"", "lose"}, "node.recovery: "},
  };
  for (const Case& one : cases) {
    for (const char* text : one.refused) {
      request_ = {};
      request_.overrides.*one.flag = text;
      const Loaded loaded = load("{}", Scope::kNode);
      ASSERT_EQ(loaded.errors.size(), 1U) << one.path << text;
      EXPECT_EQ(loaded.errors[0].to_string().rfind(one.path, 0), 0U)
          << loaded.errors[0].to_string();
      EXPECT_NE(loaded.errors[0].message.find("(set by --"), std::string::npos);
    }
  }
}

TEST_F(ConfigTest, FlagsOfTheNodeBeatTheFileAndAreCheckedWithIt) {
  request_.overrides.io_threads = "3";
  request_.overrides.memory_budget = "16MiB";
  request_.overrides.durability = "sync";
  request_.overrides.disk_quota = "1GiB";
  const Loaded loaded = load(R"({ "node": { "io_threads": 1, "memory_budget": "1GiB",
      "durability": "wal", "disk_quota": "2GiB" } })",
                             Scope::kNode);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.node.io_threads, 3);
  EXPECT_EQ(loaded.config.node.memory_budget_bytes, 16ULL << 20);
  EXPECT_EQ(loaded.config.node.durability, "sync");
  EXPECT_EQ(loaded.config.node.disk_quota_bytes, 1ULL << 30);
  EXPECT_EQ(complaints(load(R"({ "node": { "hot_cache": "9MiB" } })", Scope::kNode)),
            "edged.jsonc:1:13: node.hot_cache: leaves less than 8MiB of node.memory_budget\n");
}

TEST_F(ConfigTest, ReadsFilesAsEditorsAndWranglerWriteThem) {
  write("wrangler.jsonc",
        "\xEF\xBB\xBF/**\r\n * For more details on how to configure Wrangler, refer to:\r\n"
        " * https://developers.cloudflare.com/workers/wrangler/configuration/\r\n */\r\n"
        "{\r\n\t\"$schema\": \"node_modules/wrangler/config-schema.json\", // the schema\r\n"
        "\t/***/\"triggers\": { \"crons\": [ /* hourly */ \"7 * * * *\", ], },\r\n}\r\n");
  const Loaded loaded =
      load("\xEF\xBB\xBF// edged\n{ /** x **/ \"wrangler\": \"wrangler.jsonc\" }", Scope::kNode);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_EQ(loaded.config.triggers_crons, std::vector<std::string>{"7 * * * *"});
  write("wrangler.jsonc", "// app\r\n{\r\n  \"triggers\": x\r\n}");
  EXPECT_EQ(
      complaints(load("{ \"wrangler\": \"wrangler.jsonc\" }", Scope::kNode)),
      "wrangler.jsonc:3:15: syntax error: unexpected x. Keys and texts stand in double quotes\n");
}

}  // namespace
}  // namespace edged::config
