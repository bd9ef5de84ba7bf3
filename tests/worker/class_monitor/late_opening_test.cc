// SPDX-License-Identifier: Apache-2.0
// Runs and delivery together: what a late mail learns of the upstream must not hide the next
// opening from anybody. With a KV node and without.
#include <gmock/gmock.h>

#include "tests/worker/class_monitor/monitor_fixture.h"
#include "worker/class_monitor/seat_letters.h"
#include "worker/mail/sender.h"

namespace edged::class_monitor {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class CountingTransport final : public mail::Transport {
 public:
  std::string_view name() const override { return "counting"; }
  Limits limits() const override { return {}; }
  boost::asio::awaitable<mail::Delivery> deliver(mail::Parcel parcel, mail::Attempt) override {
    for (const mail::Message& message : parcel.messages) recipients.push_back(message.recipient);
    co_return mail::delivery_of(Status());
  }
  std::vector<std::string> recipients;
};

class LateOpeningTest : public MonitorTest, public ::testing::WithParamInterface<bool> {
 protected:
  LateOpeningTest() : MonitorTest(GetParam()) {}

  std::vector<std::string> deliver() {
    transport_.recipients.clear();
    const Status done = wait_for(deliver_due());
    EXPECT_TRUE(done.ok()) << done.to_string();
    return transport_.recipients;
  }
  boost::asio::awaitable<Status> deliver_due() {
    SeatLetters letters(io_.get_executor(),
                        *pool_,
                        clock_,
                        {*worker::TimeZone::load("UTC")},
                        [this](SectionQuestion) { return answer(); });
    mail::SenderOptions options;
    options.identity = {"notify@example.org", ""};
    mail::Sender sender(io_.get_executor(), *pool_, transport_, clock_, metrics_, options);
    sender.add_kind(SeatLetters::kName, letters);
    queue::Consumer consumer(
        io_.get_executor(), *pool_, clock_, metrics_, sender.consumer_options(), sender.handler());
    const Status done = co_await consumer.drain_due();
    co_return done;
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
  execute(  // as if it had been tried and had to wait
      "with moved as (delete from edged.queue_ready r using edged.queue_messages m "
      "where m.id = r.message_id and m.body ->> 'to' = 'b@example.edu' returning r.*) "
      "insert into edged.queue_delayed (queue_id, due_at, message_id, attempts) "
      "select queue_id, $1::timestamptz + interval '1 h', message_id, 1 from moved",
      {format_rfc3339(clock_.wall_now())});
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
}  // namespace edged::class_monitor
