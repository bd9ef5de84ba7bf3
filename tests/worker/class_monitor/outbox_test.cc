// SPDX-License-Identifier: Apache-2.0
// Delivery from the outbox: sending, repeating, leases, and the loop.
#include "tests/worker/class_monitor/outbox_fixture.h"

namespace edged::mail {
namespace {

TEST_F(OutboxDeliveryTest, SendsWhatIsDueInOrderAndKeepsTheRecord) {
  std::vector<std::string> ids;
  for (int i = 0; i < 25; ++i) ids.push_back(add_mail());
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.sent, 25);
  ASSERT_EQ(transport_.messages.size(), 25U);
  for (const std::string& id : ids) EXPECT_EQ(outcome(id), "sent//1");
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(
        transport_.messages[i].message_id,
        value("select notification_id from edged.mails where id = " + ids[i]) + "@example.org");
  }
  EXPECT_EQ(transport_.messages[0].recipient, "student@example.edu");
  EXPECT_EQ(value("select count(*) from edged.mails where finished_at = " + now()), "25");
  EXPECT_EQ(deliver().sent, 0);
  EXPECT_THAT(metrics_.render(), HasSubstr("edged_mails_total{result=\"sent\"} 25"));
}

TEST_F(OutboxDeliveryTest, LeavesMailsThatAreNotDue) {
  const std::string id = add_mail();
  query("update edged.mails set next_attempt_at = next_attempt_at + interval '1 min'");
  EXPECT_EQ(deliver().sent, 0);
  clock_.advance(1min);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//1");
}

TEST_F(OutboxDeliveryTest, RetriesTemporaryErrorsWithBackOff) {
  const std::string id = add_mail();
  transport_.script = {Status(Code::kUnavailable, "try later"),
                       Status(Code::kUnknownOutcome, "cut")};
  EXPECT_EQ(deliver().retried, 1);
  EXPECT_EQ(outcome(id), "pending//1");
  EXPECT_EQ(deliver().retried, 0);
  clock_.advance(2s);
  EXPECT_EQ(deliver().retried, 1);
  clock_.advance(4s);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//3");
  ASSERT_EQ(transport_.messages.size(), 3U);
  EXPECT_EQ(transport_.messages[0].content, transport_.messages[2].content);
  EXPECT_EQ(transport_.messages[0].message_id, transport_.messages[2].message_id);
  EXPECT_THAT(transport_.attempts,
              ElementsAre(Attempt::kFirst, Attempt::kRepeated, Attempt::kRepeated));
}

TEST_F(OutboxDeliveryTest, GivesUpAfterTwentyAttempts) {
  const std::string id = add_mail();
  query("update edged.mails set valid_until = valid_until + interval '1 year'");
  for (int i = 0; i < 20; ++i) {
    transport_.script.push_back(Status(Code::kIoError, "disk gone"));
    EXPECT_EQ(deliver().retried, i < 19 ? 1 : 0);
    clock_.advance(10min);
  }
  EXPECT_EQ(outcome(id), "dead/20 attempts failed; the last one: disk gone/20");
  EXPECT_EQ(deliver().sent, 0);
}

TEST_F(OutboxDeliveryTest, PermanentErrorsAreDeadAtOnce) {
  const std::string refused = add_mail();
  transport_.script = {Status(Code::kInvalidArgument, "no such mailbox")};
  EXPECT_EQ(deliver().dead, 1);
  EXPECT_EQ(outcome(refused), "dead/no such mailbox/1");
  MailRow unreadable;
  unreadable.facts = R"({"checked_at":"yesterday"})";
  const std::string wrong_facts = add_mail(unreadable);
  MailRow address;
  address.recipient = "nobody";
  const std::string wrong_address = add_mail(address);
  MailRow type;
  type.type = "weather";
  const std::string wrong_type = add_mail(type);
  EXPECT_EQ(deliver().dead, 3);
  EXPECT_THAT(outcome(wrong_facts), HasSubstr("dead/could not read edged.mails.facts"));
  EXPECT_THAT(outcome(wrong_address), HasSubstr("dead/"));
  EXPECT_THAT(outcome(wrong_type), HasSubstr("dead/"));
  EXPECT_EQ(transport_.messages.size(), 1U);
}

TEST_F(OutboxDeliveryTest, SenderThatCannotBeUsedIsRetriedUntilItIsMended) {
  const std::string id = add_mail();
  query("update edged.mails set attempts = 30");
  const MailIdentity usable = options_.identity;
  options_.identity.from = "PickMyClass notify@example.org";
  EXPECT_EQ(deliver().retried, 1);
  EXPECT_EQ(outcome(id), "pending//31");
  EXPECT_TRUE(transport_.messages.empty());
  options_.identity = usable;
  clock_.advance(10min);
  EXPECT_EQ(deliver().sent, 1);
}

TEST_F(OutboxDeliveryTest, DeadMailIsLoggedWithoutItsAddress) {
  MailRow address;
  address.recipient = "some one@example.edu";
  const std::string wrong_address = add_mail(address);
  const std::string refused = add_mail();
  transport_.script = {Status(Code::kInvalidArgument, "550 <student@example.edu> is unknown")};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(deliver().dead, 2);
  const std::string log = ::testing::internal::GetCapturedStdout();
  for (const std::string& id : {wrong_address, refused}) {
    EXPECT_THAT(log, HasSubstr(value("select notification_id from edged.mails where id = " + id)));
  }
  EXPECT_THAT(log, HasSubstr("[error]"));
  EXPECT_THAT(log, HasSubstr("could not use the recipient"));
  EXPECT_THAT(log,
              HasSubstr("could not send the mail in row " + wrong_address + " of edged.mails"));
  EXPECT_THAT(log,
              HasSubstr("invalid mail address in column \"recipient\" of that row: the part before "
                        "'@' holds a blank"));
  EXPECT_THAT(log, HasSubstr("550 <recipient> is unknown"));
  EXPECT_THAT(log, Not(HasSubstr("example.edu")));
  EXPECT_THAT(outcome(wrong_address), HasSubstr("some one@example.edu"));
  EXPECT_THAT(metrics_.render(), HasSubstr("edged_mails_total{result=\"dead\"} 2"));
}

TEST_F(OutboxDeliveryTest, ARecipientIsMailedInTheFormOfSmtpAndLoggedInNone) {
  MailRow international;
  international.recipient = " zoe@Bücher.example\n";
  const std::string id = add_mail(international);
  EXPECT_EQ(deliver().sent, 1);
  ASSERT_EQ(transport_.messages.size(), 1u);
  EXPECT_EQ(transport_.messages[0].recipient, "zoe@xn--bcher-kva.example");
  const std::string refused = add_mail(international);
  transport_.script = {
      Status(Code::kInvalidArgument, "550 zoe@xn--bcher-kva.example is no address of ours")};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(deliver().dead, 1);
  const std::string log = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(log, HasSubstr("550 recipient is no address of ours"));
  EXPECT_THAT(log, Not(HasSubstr("zoe@")));
}

TEST_F(OutboxDeliveryTest, TwoDeliverersSendEachMailOnce) {
  for (int i = 0; i < 30; ++i) add_mail();
  transport_.pause = 1ms;
  options_.batch_size = 7;
  OutboxDelivery first = make();
  OutboxDelivery second = make();
  std::vector<Result<OutboxCounts>> results;
  auto work = [](OutboxDelivery* delivery,
                 std::vector<Result<OutboxCounts>>* out) -> asio::awaitable<void> {
    Result<OutboxCounts> counts = co_await delivery->deliver_due();
    out->push_back(std::move(counts));
  };
  asio::co_spawn(io_, work(&first, &results), asio::detached);
  asio::co_spawn(io_, work(&second, &results), asio::detached);
  io_.restart();
  io_.run();
  ASSERT_EQ(results.size(), 2U);
  ASSERT_TRUE(results[0] && results[1]);
  EXPECT_GT(results[0].value().sent, 0);
  EXPECT_GT(results[1].value().sent, 0);
  EXPECT_EQ(results[0].value().sent + results[1].value().sent, 30);
  std::map<std::string, int> by_id;
  for (const Message& message : transport_.messages) ++by_id[message.message_id];
  EXPECT_EQ(by_id.size(), 30U);
  EXPECT_EQ(transport_.messages.size(), 30U);
}

TEST_F(OutboxDeliveryTest, RescuesTheMailsOfADeadDeliverer) {
  const std::string id = add_mail();
  query(
      "update edged.mails set status = 'sending', lease_number = 4, attempts = 1, lease_until = " +
      now() + " + interval '30 s'");
  EXPECT_EQ(deliver().sent, 0);
  clock_.advance(30s);
  EXPECT_EQ(deliver().sent, 1);
  EXPECT_EQ(outcome(id), "sent//2");
  EXPECT_EQ(value("select lease_number from edged.mails"), "5");
  EXPECT_THAT(transport_.attempts, ElementsAre(Attempt::kRepeated));
}

TEST_F(OutboxDeliveryTest, LateCompletionOfALostLeaseChangesNothing) {
  const std::string id = add_mail();
  transport_.before = [this] {
    query("update edged.mails set lease_number = lease_number + 1, attempts = attempts + 1");
  };
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.lost, 1);
  EXPECT_EQ(counts.sent, 0);
  EXPECT_EQ(outcome(id), "sending//2");
}

TEST_F(OutboxDeliveryTest, LeaseLostBeforeSendingSendsNothing) {
  const std::string first = add_mail();
  const std::string second = add_mail();
  transport_.before = [this, second] {
    query("update edged.mails set lease_number = lease_number + 1 where id = " + second);
  };
  const OutboxCounts counts = deliver();
  EXPECT_EQ(counts.sent, 1);
  EXPECT_EQ(counts.lost, 1);
  EXPECT_EQ(transport_.messages.size(), 1U);
}

class OutboxRunTest : public OutboxDeliveryTest {
 protected:
  // Of run 77, whose mails add_mail() makes.
  int deliver_run(OutboxDelivery& delivery, std::chrono::milliseconds patience) {
    const auto begin = std::chrono::steady_clock::now();
    const Result<int> pending = run_awaitable(io_, delivery.deliver_run(77, patience));
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return pending ? *pending : -1;
  }
  // Never answers; its frame goes with the io_context.
  static asio::awaitable<void> hang() {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
  }

  double seconds_ = 0;
};

TEST_F(OutboxRunTest, IsOverWhenItsMailsAre) {
  for (int i = 0; i < 25; ++i) add_mail();
  set_profile("is_disabled", true);
  OutboxDelivery delivery = make();
  EXPECT_EQ(deliver_run(delivery, 60s), 0);
  EXPECT_EQ(transport_.messages.size(), 24U);
  EXPECT_EQ(deliver_run(delivery, 60s), 0);
  EXPECT_LT(seconds_, 30);
}

TEST_F(OutboxRunTest, TriesAgainWhileThereIsPatience) {
  add_mail();
  transport_.script = {Status(Code::kUnavailable, "try later")};
  // Time goes on until the second attempt, however long the first one takes.
  asio::steady_timer tick(io_);
  std::function<void(boost::system::error_code)> advance = [&](boost::system::error_code error) {
    if (error) return;
    clock_.advance(2s);
    tick.expires_after(100ms);
    tick.async_wait(advance);
  };
  tick.expires_after(50ms);
  tick.async_wait(advance);
  OutboxDelivery delivery = make();
  EXPECT_EQ(deliver_run(delivery, 60s), 0);
  tick.cancel();
  EXPECT_EQ(transport_.messages.size(), 2U);
}

TEST_F(OutboxRunTest, IsLeftWhenPatienceIsAtAnEnd) {
  add_mail();
  add_mail();
  transport_.wait = [] { return hang(); };
  OutboxDelivery delivery = make();
  EXPECT_EQ(deliver_run(delivery, 300ms), 2);
  EXPECT_LT(seconds_, 30);
  EXPECT_TRUE(transport_.messages.empty());
}

TEST_F(OutboxRunTest, MailsOfOthersDoNotHoldItUpForEver) {
  const std::string other = add_mail();
  query("update edged.mails set run_id = 76");
  clock_.advance(31min);
  ask_seats_ = [](SectionQuestion) -> asio::awaitable<Result<Seats>> {
    co_await hang();
    co_return Seats{};
  };
  const std::string own = add_mail();
  OutboxDelivery delivery = make();
  EXPECT_EQ(deliver_run(delivery, 3s), 0);
  EXPECT_EQ(outcome(own), "sent//1");
  EXPECT_EQ(outcome(other), "sending//1");
}

TEST_F(OutboxRunTest, FailsWithoutPostgres) {
  add_mail();
  OutboxDelivery delivery = make();
  query("alter table edged.mails rename to mails_away");
  EXPECT_EQ(deliver_run(delivery, 60s), -1);
}

TEST_F(OutboxDeliveryTest, LoopDeliversWhenWokenAndSurvivesARestartOfTheServer) {
  options_.poll_interval = 20ms;
  OutboxDelivery delivery = make();
  bool ended = false;
  auto loop = [](OutboxDelivery* target, bool* out) -> asio::awaitable<void> {
    co_await target->run();
    *out = true;
  };
  asio::co_spawn(io_, loop(&delivery, &ended), asio::detached);
  const auto run_until_sent = [this](std::size_t count) {
    const auto begin = std::chrono::steady_clock::now();
    io_.restart();
    while (transport_.messages.size() < count && std::chrono::steady_clock::now() - begin < 60s) {
      io_.run_one_for(100ms);
    }
    return transport_.messages.size();
  };
  add_mail();
  delivery.wake();
  EXPECT_EQ(run_until_sent(1), 1U);
  cluster_.stop_immediately();
  io_.run_for(200ms);
  cluster_.start();
  add_mail();
  EXPECT_EQ(run_until_sent(2), 2U);
  delivery.stop();
  io_.run_for(30s);
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace edged::mail
