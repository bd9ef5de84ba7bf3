// SPDX-License-Identifier: Apache-2.0
// What a reload reports, and keys under their old names.
#include "tools/edged/config_changes.h"

#include <gtest/gtest.h>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

Json parse(const std::string& text) {
  Json document;
  JsonError error;
  EXPECT_TRUE(parse_jsonc(text, document, error)) << error.message;
  return document;
}

WrittenValues values(const std::string& text, bool wrangler = false) {
  WrittenValues noted;
  note_values(parse(text), wrangler, noted);
  return noted;
}

std::string joined(const std::vector<std::string>& paths) {
  std::string all;
  for (const std::string& path : paths) all += path + " ";
  return all;
}

TEST(ConfigChangesTest, EachPathThatDiffersIsNamedOnce) {
  struct Case {
    const char *before, *after, *node, *worker;
  };
  for (const Case& one : {
           Case{"{}", "{}", "", ""},
           Case{R"({"log_level":"info"})", R"({"log_level":"debug"})", "", ""},
           Case{R"({"node":{"http":"a"}})", R"({"node":{"http":"b"}})", "node.http ", "node.http "},
           Case{R"({"node":{"http":"a"}})", R"({"node":{}})", "node.http ", "node.http "},
           Case{"{}", R"({"node":{"io_threads":1}})", "node.io_threads ", "node.io_threads "},
           Case{R"({"node":{"io_threads":1}})",
                R"({"node":{"io_threads":"1"}})",
                "node.io_threads ",
                "node.io_threads "},
           Case{R"({"node":{"listen":["a"]}})",
                R"({"node":{"listen":["a","b"]}})",
                "node.listen[1] ",
                "node.listen[1] "},
           Case{R"({"kv_namespaces":[{"binding":"A"}]})",
                R"({"kv_namespaces":[{"binding":"B"}]})",
                "kv_namespaces[0].binding ",
                "kv_namespaces[0].binding "},
           Case{R"({"mail":{"token":"x"},"upstream":{"url":"u"}})",
                R"({"mail":{"token":"y"}})",
                "",
                "mail.token upstream.url "},
           Case{R"({"worker":{"http":"a","http_hosts":["a"],"roles":["cron"]}})",
                R"({"worker":{"http":"b","http_hosts":["b"],"roles":["queue"]}})",
                "worker.http worker.roles[0] ",
                "worker.http worker.http_hosts[0] worker.roles[0] "},
           Case{R"({"mail":{"token":"x"}})", R"({/* the same */"mail":{"token":"x",},})", "", ""},
       }) {
    const auto before = values(one.before);
    const auto after = values(one.after);
    EXPECT_EQ(joined(changed_keys(before, after, Scope::kNode)), one.node) << one.after;
    EXPECT_EQ(joined(changed_keys(before, after, Scope::kWorker)), one.worker) << one.after;
  }
}

TEST(ConfigChangesTest, OfAWranglerFileOnlyWhatIsRead) {
  const auto before = values(R"({"name":"a","triggers":{"crons":["* * * * *"]}})", true);
  const auto after = values(R"({"name":"b","vars":{"x":1},"triggers":{"crons":["@daily"]}})", true);
  EXPECT_EQ(joined(changed_keys(before, after, Scope::kWorker)), "triggers.crons[0] ");
}

class RenamedKeysTest : public ::testing::Test {
 protected:
  static constexpr RenamedKey kRenamed[] = {{"node.quota", "node.disk_quota"},
                                            {"verbosity", "log_level"},
                                            {"cache.size", "node.memory_budget"}};
  Json rename(const std::string& text) {
    context_.file = "edged.jsonc";
    Json document = parse(text);
    rename_keys(document, kRenamed, context_);
    return document;
  }
  ReadContext context_;
};

TEST_F(RenamedKeysTest, ThisReleaseHasNone) {
  EXPECT_TRUE(renamed_keys().empty());
}

TEST_F(RenamedKeysTest, TheOldNameIsReadAndWarnedOfWithItsPlace) {
  const Json document =
      rename("{\n  \"node\": { \"quota\": \"1GiB\" },\n  \"verbosity\": \"warn\" }");
  ASSERT_NE(document.find("node"), nullptr);
  ASSERT_NE(document.find("node")->find("disk_quota"), nullptr);
  EXPECT_EQ(document.find("node")->find("disk_quota")->text, "1GiB");
  EXPECT_EQ(document.find("node")->find("quota"), nullptr);
  EXPECT_EQ(document.find("log_level")->text, "warn");
  ASSERT_EQ(context_.warnings.size(), 2u);
  EXPECT_EQ(context_.warnings[0],
            "edged.jsonc:2:13: node.quota: is called \"node.disk_quota\" now. This release still "
            "reads it: rename it");
  EXPECT_EQ(context_.warnings[1].substr(0, 24), "edged.jsonc:3:3: verbosi");
  EXPECT_TRUE(context_.errors.empty());
}

TEST_F(RenamedKeysTest, ASectionIsMadeForIt) {
  const Json document = rename(R"({"cache":{"size":"8MiB"}})");
  ASSERT_NE(document.find("node"), nullptr);
  EXPECT_EQ(document.find("node")->find("memory_budget")->text, "8MiB");
}

TEST_F(RenamedKeysTest, BothNamesAreAnError) {
  rename(R"({"node":{"quota":"1GiB","disk_quota":"2GiB"}})");
  ASSERT_EQ(context_.errors.size(), 1u);
  EXPECT_EQ(context_.errors[0].to_string(),
            "edged.jsonc:1:10: node.quota: is called \"node.disk_quota\" now, which is there too. "
            "Remove one");
  rename(R"({"cache":{"size":"8MiB"},"node":"none"})");
  EXPECT_EQ(context_.errors.size(), 2u);
}

TEST_F(RenamedKeysTest, OtherKeysAreLeftAlone) {
  const Json document = rename(R"({"node":{"disk_quota":"1GiB"},"quota":1,"cache":7})");
  EXPECT_EQ(document.members.size(), 3u);
  EXPECT_TRUE(context_.warnings.empty());
}

class WrittenValuesTest : public ConfigTest {};

TEST_F(WrittenValuesTest, AreOfTheFileThatWasLoadedWithItsVariablesUnread) {
  environment_["SECRET"] = "hidden";
  (void)load(with_worker(R"("mail": { "token": "${SECRET}" })"), Scope::kNode);
  WrittenValues written;
  EXPECT_TRUE(load_config(request_, written).errors.empty());
  EXPECT_EQ(written.at("mail.token"), "\"${SECRET}");
  EXPECT_EQ(written.at("triggers.crons[0]"), "\"0 * * * *");
}

}  // namespace
}  // namespace edged::config
