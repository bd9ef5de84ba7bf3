// SPDX-License-Identifier: Apache-2.0
// Watched sections that the upstream does not have: what the log and the summary say of them.
#include "tests/worker/class_monitor/monitor_fixture.h"

namespace edged::class_monitor {
namespace {

class AbsentSectionsTest : public MonitorTest {};

upstream::SectionObservation open_seats(std::int64_t seats) {
  return {.seats_available = seats};
}

TEST_F(AbsentSectionsTest, AreNamedOnceUntilTheyAreFound) {
  add_watch("a@example.edu", "10000");
  source_.say("10000", open_seats(1));
  const Status none(Code::kNotFound, "the upstream has no such section: unknown");
  for (int i = 1; i <= 7; ++i) {
    add_watch("a@example.edu", "1000" + std::to_string(i));
    source_.say("1000" + std::to_string(i), none);
  }
  const auto tick_and_log = [this](boost::json::object* summary) {
    ::testing::internal::CaptureStdout();
    *summary = tick();
    return ::testing::internal::GetCapturedStdout();
  };
  boost::json::object summary;
  const std::string first = tick_and_log(&summary);
  EXPECT_NE(first.find("the upstream does not know 7 watched sections"), std::string::npos)
      << first;
  EXPECT_NE(first.find("10001 (the upstream has no such section: unknown); 10002 ("),
            std::string::npos)
      << first;
  EXPECT_NE(first.find("; and 2 more"), std::string::npos) << first;
  EXPECT_EQ(summary.at("absent").as_int64(), 7);
  EXPECT_EQ(summary.at("absent_sections").as_array().size(), 5u);
  const std::string second = tick_and_log(&summary);
  EXPECT_EQ(second.find("does not know"), std::string::npos) << second;
  source_.say("10003", open_seats(1));
  (void)tick_and_log(&summary);
  source_.say("10003", none);
  const std::string third = tick_and_log(&summary);
  EXPECT_NE(third.find("the upstream does not know 1 watched section;"), std::string::npos)
      << third;
  EXPECT_NE(third.find(": 10003 ("), std::string::npos) << third;
}

}  // namespace
}  // namespace edged::class_monitor
