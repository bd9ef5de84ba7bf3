// SPDX-License-Identifier: Apache-2.0
// Runs and delivery together: what a late mail learns of the upstream must not hide the next
// opening from anybody. With a KV node and without.
#include <gmock/gmock.h>

#include "tests/worker/class_monitor/monitor_fixture.h"
#include "worker/class_monitor/outbox.h"

namespace edged::mail {
namespace {

using namespace std::chrono_literals;
using class_monitor::MonitorTest;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class CountingTransport final : public Transport {
 public:
  std::string_view name() const override { return "counting"; }
  Limits limits() const override { return {}; }
  boost::asio::awaitable<Delivery> deliver(Parcel parcel, Attempt) override {
    for (const Message& message : parcel.messages) recipients.push_back(message.recipient);
    co_return delivery_of(Status());
  }
  std::vector<std::string> recipients;
};

class LateOpeningTest : public MonitorTest, public ::testing::WithParamInterface<bool> {
 protected:
  LateOpeningTest() : MonitorTest(GetParam()) {}

  std::vector<std::string> deliver() {
    OutboxOptions options;
    options.identity = {"notify@example.org", ""};
    auto ask = [this](SectionQuestion) { return answer(); };
    OutboxDelivery delivery(io_.get_executor(), *pool_, transport_, clock_, metrics_, options, ask);
    transport_.recipients.clear();
    const auto counts = wait_for(delivery.deliver_due());
    EXPECT_TRUE(counts) << counts.error().to_string();
    return transport_.recipients;
  }
  boost::asio::awaitable<Result<Seats>> answer() { co_return said_; }

  void see_seats(std::int64_t seats) {
    said_ = {seats, std::nullopt};
    see(seats);
  }

  CountingTransport transport_;
  Seats said_;
};

TEST_P(LateOpeningTest, NextOpeningIsToldToEveryWatcher) {
  add_watch("a@example.edu");
  add_watch("b@example.edu");
  see_seats(0);
  see_seats(3);
  execute(
      "update edged.mails set next_attempt_at = next_attempt_at + interval '1 h' "
      "where recipient = 'b@example.edu'");
  EXPECT_THAT(deliver(), ElementsAre("a@example.edu"));
  // The transport was away for an hour, and so were the runs. It closed meanwhile.
  clock_.advance(61min);
  said_ = {0, std::nullopt};
  EXPECT_THAT(deliver(), SizeIs(0));
  // It opened again before a run saw that it had closed.
  see_seats(3);
  EXPECT_THAT(deliver(), testing::UnorderedElementsAre("a@example.edu", "b@example.edu"));
}

TEST_P(LateOpeningTest, RunUnderWayDoesNotUndoTheClosing) {
  add_watch("a@example.edu");
  see_seats(0);
  see_seats(3);
  clock_.advance(61min);
  source_.before_answer = [this](const std::string&) {
    said_ = {0, std::nullopt};
    EXPECT_THAT(deliver(), SizeIs(0));
  };
  see(3);  // of an epoch before the closing: ignored
  EXPECT_THAT(query("select seats_available from public.class_states"), ElementsAre("0"));
  source_.before_answer = nullptr;
  see_seats(3);
  EXPECT_THAT(deliver(), ElementsAre("a@example.edu"));
}

INSTANTIATE_TEST_SUITE_P(Kv, LateOpeningTest, ::testing::Bool(), [](const auto& one) {
  return one.param ? "Node" : "PostgresAlone";
});

}  // namespace
}  // namespace edged::mail
