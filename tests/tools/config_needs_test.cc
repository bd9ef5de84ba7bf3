// SPDX-License-Identifier: Apache-2.0
// What each command needs of the file, and a worker's roles.
#include "tools/edged/config_needs.h"

#include <sys/stat.h>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

constexpr const char* kRule =
    R"("mirror": { "rules": [ { "table": "t", "key": "k:{a}", "value": { "row": true } } ] },
       "kv_namespaces": [ { "binding": "KV", "id": "0f2ac74b498b48028cb68387c421e279" } ])";

TEST_F(ConfigTest, EachCommandMissesOnlyWhatItNeeds) {
  const std::string postgres = R"({ "postgres": { "url": "p" } })";
  for (const Scope scope : {Scope::kMigrate, Scope::kCronHistory}) {
    EXPECT_EQ(complaints(load("{}", scope)), "edged.jsonc: postgres.url: is missing\n");
    EXPECT_EQ(complaints(load(postgres, scope)), "");
  }
  for (const Scope scope : {Scope::kWorker, Scope::kAll, Scope::kCronRun}) {
    EXPECT_EQ(complaints(load(postgres, scope)), "edged.jsonc: upstream.url: is missing\n");
  }
  EXPECT_EQ(complaints(load(postgres, Scope::kMirror)),
            "edged.jsonc: mirror.rules: is missing or empty\n");
  EXPECT_EQ(complaints(load(R"({ "postgres": { "url": "p" }, )" + std::string(kRule) + "}",
                            Scope::kMirror)),
            "");
  EXPECT_EQ(complaints(load("{}", Scope::kCheck)), "");
}

TEST_F(ConfigTest, ACommandIgnoresMistakesInSectionsItDoesNotUse) {
  const std::string text =
      R"({ "postgres": { "url": "p" }, "upstream": { "url": "${NOBODY}" }, "mail": { "from": "x" },
           "worker": { "http": "nowhere" } })";
  EXPECT_EQ(complaints(load(text, Scope::kMigrate)), "");
  EXPECT_EQ(complaints(load(text, Scope::kCronHistory)), "");
  EXPECT_NE(complaints(load(text, Scope::kCheck)), "");
}

TEST_F(ConfigTest, RolesDecideWhatAWorkerNeeds) {
  const std::string mirror = R"({ "postgres": { "url": "p" }, "upstream": { "token": "${NOBODY}" },
      "worker": { "roles": ["mirror"], "cron_secret": "${NOBODY}" }, )" +
                             std::string(kRule) + "}";
  EXPECT_EQ(complaints(load(mirror, Scope::kWorker)), "");
  EXPECT_EQ(complaints(load(mirror, Scope::kAll)), "");
  EXPECT_EQ(complaints(load(R"({ "postgres": { "url": "p" }, "worker": { "roles": ["mail"] } })",
                            Scope::kWorker)),
            "");
  EXPECT_EQ(complaints(load(R"({ "postgres": { "url": "p" }, "worker": { "roles": ["mirror"] } })",
                            Scope::kWorker)),
            "edged.jsonc: mirror.rules: is missing or empty\n"
            "edged.jsonc: kv_namespaces: is missing or empty: the mirror needs a namespace\n");
  const std::string cron = R"({ "postgres": { "url": "p" }, "worker": { "roles": ["cron"] } })";
  EXPECT_EQ(complaints(load(cron, Scope::kWorker)), "edged.jsonc: upstream.url: is missing\n");
  const std::string run = complaints(load(mirror, Scope::kCronRun));
  EXPECT_NE(run.find("worker.roles: does not name \"cron\""), std::string::npos) << run;
}

TEST_F(ConfigTest, KnowsItsRoles) {
  const auto with = [](const std::string& roles) {
    return R"({ "postgres": { "url": "p" }, "upstream": { "url": "http://u" }, "worker": { "roles": )" +
           roles + " } }";
  };
  EXPECT_EQ(complaints(load(with(R"(["mirror", "cron", "mail", "queue"])"), Scope::kWorker)), "");
  EXPECT_TRUE(load("{}", Scope::kCheck).config.worker.has_role(kRoleMail)) << "all by default";
  EXPECT_EQ(
      complaints(load(with(R"(["mail", "crno"])"), Scope::kWorker)),
      "edged.jsonc:1:96: worker.roles[1]: \"crno\" is not one of mirror, cron, mail, queue\n");
  EXPECT_NE(complaints(load(with(R"(["mail", "mail"])"), Scope::kWorker)).find("named twice"),
            std::string::npos);
  EXPECT_NE(complaints(load(with("[]"), Scope::kWorker)).find("is empty"), std::string::npos);
  const Loaded queue = load(with(R"(["queue"])"), Scope::kWorker);
  ASSERT_EQ(complaints(queue), "");
  EXPECT_EQ(queue.warnings.size(), 0U);
}

TEST_F(ConfigTest, ASecretStandsInTheFileOrInAFileOfItsOwn) {
  const std::string path = write("secret", "s3cret\n");
  ::chmod(path.c_str(), 0600);
  const auto both = [&](const std::string& section, const std::string& key, bool is_inline) {
    std::string text = R"({ "postgres": { "url": "p" }, "upstream": { "url": "http://u")";
    const std::string keys =
        ", \"" + key + "_file\": \"" + path + "\"" + (is_inline ? ", \"" + key + "\": \"x\"" : "");
    if (section == "upstream") text += keys;
    text += R"( }, "worker": { "http": "127.0.0.1:0")";
    if (section == "worker") text += keys;
    return text + " } }";
  };
  for (const auto& [section, key] :
       {std::pair<std::string, std::string>{"upstream", "token"}, {"worker", "cron_secret"}}) {
    EXPECT_EQ(complaints(load(both(section, key, false), Scope::kWorker)), "");
    const std::string twice = complaints(load(both(section, key, true), Scope::kWorker));
    EXPECT_NE(twice.find(section + "." + key + "_file: and " + section + "." + key + " exclude"),
              std::string::npos)
        << twice;
    ::chmod(path.c_str(), 0604);
    const std::string open = complaints(load(both(section, key, false), Scope::kWorker));
    EXPECT_NE(open.find("everybody can read it"), std::string::npos) << open;
    EXPECT_EQ(complaints(load(both(section, key, false), Scope::kMigrate)), "");
    ::chmod(path.c_str(), 0600);
  }
}

TEST_F(ConfigTest, TheDatabaseOfDevIsNamedWithDevOnly) {
  request_.overrides.dev_database = "app";
  const std::string text = R"({ "postgres": { "url": "p" } })";
  EXPECT_NE(complaints(load(text, Scope::kMigrate)).find("--dev-database: needs --dev"),
            std::string::npos);
  request_.overrides.dev = true;
  const Loaded loaded = load(text, Scope::kMigrate);
  ASSERT_EQ(complaints(loaded), "");
  EXPECT_FALSE(loaded.config.leaves_database_alone());
}

}  // namespace
}  // namespace edged::config
