// SPDX-License-Identifier: Apache-2.0
// The checks of edged doctor that need no other program: report, directories, tokens, exposure.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "kvstore/access/token_file.h"
#include "tests/support/temp_dir.h"
#include "tools/edged/doctor_machine.h"
#include "tools/edged/doctor_node.h"
#include "tools/edged/doctor_report.h"

namespace edged::doctor {
namespace {

const WallTime kNow{std::chrono::hours(24 * 365 * 50)};

// The findings of one severity, "check: what | fix".
std::vector<std::string> texts(const Report& report, Severity severity) {
  std::vector<std::string> all;
  for (const Finding& finding : report.findings()) {
    if (finding.severity != severity) continue;
    std::string text = finding.check;
    text.append(": ").append(finding.what).append(" | ").append(finding.fix);
    all.push_back(std::move(text));
  }
  return all;
}

bool mentions(const std::vector<std::string>& all, const std::string& part) {
  return std::any_of(all.begin(), all.end(), [&](const std::string& text) {
    return text.find(part) != std::string::npos;
  });
}

class DoctorTest : public testing::Test {
 protected:
  DoctorTest() {
    config_.node.data_dir = dir_.path();
    ::chmod(dir_.path().c_str(), 0700);
  }

  void add_token(const std::string& name, std::optional<WallTime> expires) {
    access::Grant grant;
    grant.name = name;
    grant.scopes = *access::parse_scopes("read");
    grant.expires_at = expires;
    const access::NewToken made = access::make_token(grant, kNow);
    const auto changed = access::update_token_file(
        access::token_file_in(dir_.path()),
        [&](std::vector<access::Token>& tokens) { return access::add_token(tokens, made.token); });
    ASSERT_TRUE(changed) << changed.error().message();
  }

  test::TempDir dir_;
  config::Config config_;
  Report report_;
};

TEST_F(DoctorTest, MessagesAreTakenApartWhereTheAdviceBegins) {
  struct {
    const char* message;
    const char* what;
    const char* fix;
  } const kCases[] = {
      {"schema \"edged\" does not exist in database \"a\". Run: edged migrate",
       "schema \"edged\" does not exist in database \"a\"",
       "edged migrate"},
      {"wal_level is replica: set wal_level = logical and restart PostgreSQL",
       "wal_level is replica",
       "set wal_level = logical and restart PostgreSQL"},
      {"role a may not replicate: run: alter role a replication",
       "role a may not replicate",
       "alter role a replication"},
      {"no advice: none", "no advice: none", "usual"},
      {"", "", "usual"},
  };
  for (const auto& one : kCases) {
    Report report;
    report.add_message(Severity::kError, "check", one.message, "usual");
    EXPECT_EQ(report.findings().front().what, one.what);
    EXPECT_EQ(report.findings().front().fix, one.fix);
  }
}

TEST_F(DoctorTest, TheTableEscapesWhatOthersSay) {
  report_.ok("a", "fine");
  report_.warn("longer", "bad \x1b[2J text\nforged", "mend");
  const std::string table = to_table(report_);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 4) << table;
  EXPECT_NE(table.find("fix: mend\n"), std::string::npos);
  EXPECT_NE(table.find("0 errors, 1 warning\n"), std::string::npos);
  EXPECT_FALSE(report_.clean());
}

TEST_F(DoctorTest, JsonHasWhatTheTableHas) {
  report_.note("a", "known");
  report_.error("b", "broken", "mend");
  const boost::json::value value = boost::json::parse(to_json(report_));
  EXPECT_FALSE(value.at("ok").as_bool());
  EXPECT_EQ(value.at("errors").to_number<int>(), 1);
  EXPECT_EQ(value.at("findings").as_array().size(), 2u);
  EXPECT_EQ(value.at("findings").at(1).at("fix").as_string(), "mend");
}

TEST_F(DoctorTest, ADirectoryThatCannotBeUsedIsAnError) {
  const std::string file = dir_.path() + "/file";
  std::ofstream(file) << "x";
  check_directory({"disk", file, "node.data_dir", 0, 0}, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kError), "is not a directory"));
}

TEST_F(DoctorTest, ADirectoryThatIsNotThereYetIsJudgedByTheOneAboveIt) {
  check_directory({"disk", dir_.path() + "/a/b/c", "node.data_dir", 1, 1}, report_);
  EXPECT_TRUE(report_.clean()) << to_table(report_);
  EXPECT_EQ(report_.count(Severity::kOk), 1u);
}

TEST_F(DoctorTest, TooLittleRoomIsAnErrorAndNarrowRoomAWarning) {
  const std::uint64_t huge = 1ULL << 60;
  check_directory({"disk", dir_.path(), "node.data_dir", huge, huge}, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kError), "writes need"));
  check_directory({"disk", dir_.path(), "node.data_dir", 1, huge}, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kWarning), "that is narrow"));
}

TEST_F(DoctorTest, ADirectoryThatIsOpenToOthersIsAWarningWithTheCommand) {
  ::chmod(dir_.path().c_str(), 0750);
  check_directory({"disk", dir_.path(), "node.data_dir", 0, 0}, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kWarning), "chmod 700 " + dir_.path()));
}

TEST_F(DoctorTest, DamagedLogsThatWerePutAsideAreNamed) {
  std::filesystem::create_directories(dir_.path() + "/damaged/2026");
  config_.node.recovery = "cache";
  check_node_disk(config_, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kWarning), "rm -r " + dir_.path() + "/damaged"));
  EXPECT_TRUE(mentions(texts(report_, Severity::kWarning), "node.recovery is \"cache\""));
}

TEST_F(DoctorTest, ExpiredTokensAreNamedWithTheCommandThatRemovesThem) {
  add_token("old", kNow - std::chrono::hours(1));
  add_token("soon", kNow + std::chrono::hours(5));
  add_token("late", kNow + std::chrono::hours(24 * 30));
  add_token("ever", std::nullopt);
  check_tokens(config_, kNow, report_);
  const std::vector<std::string> warnings = texts(report_, Severity::kWarning);
  ASSERT_EQ(warnings.size(), 2u) << to_table(report_);
  EXPECT_TRUE(mentions(warnings, "token \"old\" has expired"));
  EXPECT_TRUE(mentions(warnings, "token \"soon\" expires in 5 hours"));
  EXPECT_TRUE(mentions(warnings, "kvctl token --data " + dir_.path() + " revoke "));
}

TEST_F(DoctorTest, ATokenFileThatOthersMayReadIsAnError) {
  add_token("one", std::nullopt);
  const std::string path = access::token_file_in(dir_.path());
  ::chmod(path.c_str(), 0644);
  check_tokens(config_, kNow, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kError), "chmod 600 " + path));
}

TEST_F(DoctorTest, ADamagedTokenFileIsAnError) {
  const std::string path = access::token_file_in(dir_.path());
  std::ofstream(path) << "{";
  ::chmod(path.c_str(), 0600);
  check_tokens(config_, kNow, report_);
  EXPECT_EQ(report_.count(Severity::kError), 1u) << to_table(report_);
}

TEST_F(DoctorTest, LoopbackAddressesAreFineWithoutTokens) {
  check_exposure(config_, report_);
  check_worker_exposure(config_, report_);
  EXPECT_TRUE(report_.clean()) << to_table(report_);
}

TEST_F(DoctorTest, AnAddressForOtherMachinesNeedsTlsAndTokens) {
  config_.node.listen = {"0.0.0.0:4780", "tls:[::]:4779"};
  check_exposure(config_, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kWarning), "tls:0.0.0.0:4780"));
  EXPECT_EQ(texts(report_, Severity::kError).size(), 2u) << to_table(report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kError), "kvctl token create NAME --scope admin"));

  add_token("one", std::nullopt);
  Report with_token;
  check_exposure(config_, with_token);
  EXPECT_EQ(with_token.count(Severity::kError), 0u) << to_table(with_token);
  EXPECT_TRUE(mentions(texts(with_token, Severity::kOk), "speaks TLS and wants a token"));
}

TEST_F(DoctorTest, TheWorkersAddressForOthersIsAWarning) {
  config_.worker.http = "0.0.0.0:4783";
  check_worker_exposure(config_, report_);
  EXPECT_EQ(report_.count(Severity::kWarning), 1u);
}

TEST_F(DoctorTest, ACertificateThatCannotBeReadIsAnError) {
  config_.node.tls_certificate = dir_.path() + "/none.pem";
  config_.node.tls_key = dir_.path() + "/none.key";
  check_certificate(config_, kNow, report_);
  EXPECT_EQ(report_.count(Severity::kError), 1u);
}

TEST_F(DoctorTest, ANodeThatDoesNotAnswerIsToldWithTheCommandThatStartsIt) {
  config_.file = "a.jsonc";
  check_running_node(config_, report_);
  EXPECT_TRUE(mentions(texts(report_, Severity::kWarning), "edged serve -c a.jsonc"))
      << to_table(report_);
}

}  // namespace
}  // namespace edged::doctor
