// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/start_summary.h"

#include <gtest/gtest.h>

namespace edged::config {
namespace {

std::string all_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  return text;
}

TEST(StartSummaryTest, ANodeAloneTellsItsAddressesAndThatNobodyNeedsAToken) {
  Config config;
  config.node.data_dir = "/d";
  const std::string text = all_of(start_summary(config, {Runs::kNode, false}));
  EXPECT_EQ(text,
            "node: data in /d; binary protocol on 127.0.0.1:4780 and unix:/d/kv.sock; "
            "dashboard, REST API, health and metrics on 127.0.0.1:4781; Workers binding on "
            "127.0.0.1:4782\n"
            "exposed: nothing; only programs of this machine reach these addresses; there is no "
            "token, so who reaches the node may do everything\n");
}

TEST(StartSummaryTest, AddressesForOtherMachinesAreNamedWithAndWithoutTls) {
  Config config;
  config.node.listen = {"tls:0.0.0.0:4780", "127.0.0.1:4779"};
  config.node.http = "0.0.0.0:4781";
  config.node.binding = "off";
  const std::string text = all_of(start_summary(config, {Runs::kNode, true}));
  EXPECT_NE(text.find("other machines reach 0.0.0.0:4781 without TLS, and other machines reach "
                      "tls:0.0.0.0:4780 with TLS; clients of the node need a token"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("no Workers binding"), std::string::npos);
}

TEST(StartSummaryTest, WhatIsMissingIsNamedByItsKey) {
  Config config;
  const std::string text = all_of(start_summary(config, {Runs::kServe, false}));
  for (const char* key : {"triggers.crons",
                          "worker.cron_secret_file",
                          "mail.transport",
                          "worker.public_url",
                          "upstream.url",
                          "kv_namespaces",
                          "mirror (no"}) {
    EXPECT_NE(text.find(key, text.find("not configured: ")), std::string::npos) << key << text;
  }
}

TEST(StartSummaryTest, WhatIsThereIsNotMissingAndSecretsAreNotTold) {
  Config config;
  config.triggers_crons = {"*/5 * * * *"};
  config.worker.cron_secret = "hidden";
  config.worker.public_url = "https://app.example";
  config.mail.transport = "smtp";
  config.mail.password = "hidden";
  config.upstream.url = "http://u:hidden@example.org";
  config.postgres.url = "postgresql://a:hidden@b/c";
  config.kv_namespaces = {{"KV", std::string(32, 'a'), ""}};
  config.mirror.configured = true;
  const std::string text = all_of(start_summary(config, {Runs::kServe, false}));
  EXPECT_EQ(text.find("not configured"), std::string::npos) << text;
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
  EXPECT_NE(text.find("class-monitor runs at \"*/5 * * * *\""), std::string::npos) << text;
  EXPECT_NE(text.find("mails leave by smtp"), std::string::npos) << text;
}

TEST(StartSummaryTest, AWorkerOfOneRoleMissesNothingOfTheOthers) {
  Config config;
  config.worker.roles = {kRoleQueue};
  config.kv_namespaces = {{"KV", std::string(32, 'a'), ""}};
  const std::string text = all_of(start_summary(config, {Runs::kWorker, false}));
  EXPECT_EQ(text.find("not configured"), std::string::npos) << text;
  EXPECT_EQ(text.find("node:"), std::string::npos) << text;
}

TEST(StartSummaryTest, UnderDevTheWorkerSaysThatItDoesNothing) {
  Config config;
  config.dev = true;
  const std::string text = all_of(start_summary(config, {Runs::kWorker, false}));
  EXPECT_NE(text.find("it leaves the database alone"), std::string::npos) << text;
}

}  // namespace
}  // namespace edged::config
