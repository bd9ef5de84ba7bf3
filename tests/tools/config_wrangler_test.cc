// SPDX-License-Identifier: Apache-2.0
// A wrangler file as the configuration itself.
#include "tools/edged/config_wrangler.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// As wrangler's own templates and its documentation have it.
constexpr const char* kWrangler = R"(/**
 * For more details on how to configure Wrangler, refer to its documentation.
 */
{
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "app", // the Worker
  "main": "src/index.ts",
  "compatibility_date": "2026-11-01",
  "compatibility_flags": ["nodejs_compat"],
  "observability": { "enabled": true },
  "vars": { "LEVEL": "debug" },
  "kv_namespaces": [
    {
      "binding": "KV",
      "id": "0f2ac74b498b48028cb68387c421e279",
      "preview_id": "06779da6940b431db6e566b4846d64db",
      "remote": false,
    },
  ],
  "triggers": { "crons": ["0 * * * *"] },
  "queues": { "producers": [{ "binding": "QUEUE", "queue": "email" }] },
  "env": {
    "production": {
      "vars": { "LEVEL": "warn" },
      "kv_namespaces": [{ "binding": "KV", "id": "4b4f15527b928e5f7563e6376debbc90" }],
    },
    "empty": {},
  },
}
)";

class ConfigWranglerTest : public ConfigTest {
 protected:
  Loaded load_wrangler(const std::string& text, Scope scope = Scope::kNode) {
    request_.file = write("wrangler.jsonc", text);
    request_.scope = scope;
    request_.environment = [](const std::string&) { return std::nullopt; };
    return load_config(request_);
  }
  // "binding=id", in order.
  static std::vector<std::string> ids(const Loaded& loaded) {
    std::vector<std::string> all;
    for (const KvNamespace& kv : loaded.config.kv_namespaces) {
      all.push_back(std::string(kv.binding).append("=").append(loaded.config.id_of(kv)));
    }
    return all;
  }
};

TEST_F(ConfigWranglerTest, ReadsARealFile) {
  const Loaded loaded = load_wrangler(kWrangler);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_THAT(ids(loaded), ElementsAre("KV=0f2ac74b498b48028cb68387c421e279"));
  EXPECT_THAT(loaded.config.triggers_crons, ElementsAre("0 * * * *"));
  ASSERT_EQ(loaded.config.queue_producers.size(), 1U);
  EXPECT_EQ(loaded.config.queue_producers[0].queue, "email");
  EXPECT_THAT(loaded.warnings, ElementsAre());
  EXPECT_THAT(loaded.ignored_keys, HasSubstr("kv_namespaces[0].remote"));
  EXPECT_THAT(loaded.ignored_keys, HasSubstr("name, main, compatibility_date"));
  EXPECT_THAT(loaded.ignored_keys, HasSubstr("vars"));
}

TEST_F(ConfigWranglerTest, ReadsAnEnvironment) {
  request_.overrides.wrangler_environment = "production";
  const Loaded loaded = load_wrangler(kWrangler);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_THAT(ids(loaded), ElementsAre("KV=4b4f15527b928e5f7563e6376debbc90"));
  // Triggers are inherited, queues are not.
  EXPECT_THAT(loaded.config.triggers_crons, ElementsAre("0 * * * *"));
  EXPECT_TRUE(loaded.config.queue_producers.empty());
}

TEST_F(ConfigWranglerTest, AnEnvironmentDoesNotInheritNamespaces) {
  request_.overrides.wrangler_environment = "empty";
  const Loaded loaded = load_wrangler(kWrangler);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_THAT(ids(loaded), ElementsAre());
}

TEST_F(ConfigWranglerTest, NamesTheEnvironmentsIfTheWantedOneIsMissing) {
  request_.overrides.wrangler_environment = "prod";
  EXPECT_THAT(complaints(load_wrangler(kWrangler)),
              HasSubstr("env: there is no environment \"prod\", which --env names. There is: "
                        "production, empty"));
  EXPECT_THAT(complaints(load_wrangler("{}")), HasSubstr("There is: none"));
  EXPECT_THAT(complaints(load("{}", Scope::kNode)), HasSubstr("names no wrangler file"));
}

TEST_F(ConfigWranglerTest, NamesKeysThatWranglerDoesNotKnow) {
  const Loaded loaded = load_wrangler(R"({
  "kv_namespace": [],
  "env": { "a": { "var": {} } } })",
                                      Scope::kCheck);
  ASSERT_EQ(complaints(loaded), "");
  ASSERT_EQ(loaded.warnings.size(), 2u);
  EXPECT_THAT(loaded.warnings[0],
              HasSubstr("wrangler.jsonc:2:3: kv_namespace: wrangler does not know this key"));
  EXPECT_THAT(loaded.warnings[1], HasSubstr("wrangler.jsonc:3:19: env.a.var: wrangler"));
}

TEST_F(ConfigWranglerTest, ChecksEnvironmentsThatAreNotUsed) {
  const std::string text = R"({ "env": {
    "a": { "kv_namespaces": [{ "id": "4b4f15527b928e5f7563e6376debbc90" }] },
    "b": { "triggers": { "crons": "0 * * * *" } } } })";
  EXPECT_EQ(complaints(load_wrangler(text, Scope::kCheck)),
            "wrangler.jsonc:2:30: env.a.kv_namespaces[0].binding: is missing\n"
            "wrangler.jsonc:3:26: env.b.triggers.crons: expected an array, found a string\n");
  EXPECT_EQ(complaints(load_wrangler(text, Scope::kNode)), "");
}

TEST_F(ConfigWranglerTest, DevTakesPreviewIds) {
  request_.overrides.dev = true;
  const Loaded loaded = load_wrangler(kWrangler);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_THAT(ids(loaded), ElementsAre("KV=06779da6940b431db6e566b4846d64db"));
}

TEST_F(ConfigWranglerTest, DevMakesUpForMissingAndPlaceholderIds) {
  const std::string text = R"({ "kv_namespaces": [
    { "binding": "A" }, { "binding": "B", "id": "<ID>" }, { "binding": "C", "id": "<ID>" } ] })";
  EXPECT_THAT(complaints(load_wrangler(text)),
              HasSubstr("kv_namespaces[0].id: is missing. wrangler would create"));
  request_.overrides.dev = true;
  const Loaded first = load_wrangler(text);
  ASSERT_EQ(complaints(first), "");
  EXPECT_EQ(first.warnings.size(), 3u);
  const auto& namespaces = first.config.kv_namespaces;
  EXPECT_TRUE(is_namespace_id(namespaces[0].id));
  EXPECT_NE(namespaces[0].id, namespaces[1].id);
  EXPECT_EQ(namespaces[1].id, namespaces[2].id);  // one id, one namespace
  EXPECT_EQ(ids(load_wrangler(text)), ids(first));
}

TEST_F(ConfigWranglerTest, ANodeFindsTheFileInItsDirectoryUnderDev) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory_.path());
  write("wrangler.jsonc", kWrangler);
  request_.file.clear();
  request_.file_optional = true;
  request_.scope = Scope::kNode;
  EXPECT_EQ(load_config(request_).config.kv_namespaces.size(), 0u);
  request_.overrides.dev = true;
  EXPECT_EQ(load_config(request_).config.file, "wrangler.jsonc");
  EXPECT_EQ(load_config(request_).config.kv_namespaces.size(), 1u);
  write("edged.jsonc", "{}");
  EXPECT_EQ(load_config(request_).config.file, "edged.jsonc");
  std::filesystem::current_path(before);
}

TEST(WranglerFileTest, IsToldByItsName) {
  EXPECT_TRUE(is_wrangler_file("wrangler.jsonc"));
  EXPECT_TRUE(is_wrangler_file("/app/wrangler.json"));
  EXPECT_TRUE(is_wrangler_file("wrangler.staging.jsonc"));
  EXPECT_FALSE(is_wrangler_file("edged.jsonc"));
  EXPECT_FALSE(is_wrangler_file("wrangler.toml"));
  EXPECT_FALSE(is_wrangler_file("wrangler/edged.jsonc"));
}

}  // namespace
}  // namespace edged::config
