// SPDX-License-Identifier: Apache-2.0
// A job that is not ours, with mails of its own: it needs no edit of worker/cron, worker/queue or
// worker/mail. The job is the class WeatherJob; the rest puts it into a worker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <optional>

#include "proto/base/numbers.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_awaitable.h"
#include "worker/cron/job_runner.h"
#include "worker/cron/ticker.h"
#include "worker/db/migrate.h"
#include "worker/mail/sender.h"

namespace edged {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using ::testing::UnorderedElementsAre;

// Tells each reader of the table `readers` of frost, but nobody twice a day, and not if it has
// thawed before the mail leaves.
class WeatherJob final : public worker::JobRunner, public mail::LetterKind {
 public:
  explicit WeatherJob(db::PgPool& pool) : pool_(pool) {}

  awaitable<Result<std::int64_t>> start(worker::StartRequest request) override {
    db::PgParameters day{format_rfc3339(request.due_at).substr(0, 10)};
    const auto sent = co_await pool_.execute(
        "select count(edged.queue_send('email', jsonb_build_object('kind', 'weather', 'to', email, "
        "'key', 'frost.' || $1 || '.' || id, 'data', jsonb_build_object('degrees', degrees)), "
        "unique_key => 'frost.' || $1 || '.' || id)) from readers, weather where degrees < 0",
        std::move(day));
    if (!sent) co_return sent.error();
    const auto count = parse_int64(sent->text(0, 0));
    co_return count ? *count : 0;
  }
  awaitable<Result<std::string>> wait(std::int64_t sent) override {
    co_return "{\"sent\":" + std::to_string(sent) + "}";
  }
  awaitable<Result<std::vector<worker::RunRecord>>> newest_runs(int) override {
    co_return std::vector<worker::RunRecord>();
  }

  Result<mail::Content> render(const mail::Letter& letter) const override {
    const auto* degrees = letter.data.if_contains("degrees");
    if (degrees == nullptr || !degrees->is_int64()) {
      return Status(Code::kInvalidArgument, "the mail has no degrees");
    }
    const std::string text = std::to_string(degrees->get_int64()) + " degrees";
    return mail::Content{"Frost", text + " tonight\n", "", {{"X-Weather", text}}};
  }
  awaitable<Result<std::vector<mail::Judgement>>> recheck(
      std::vector<mail::Letter> mails) override {
    const auto now = co_await pool_.execute("select degrees < 0 from weather", {});
    if (!now) co_return now.error();
    mail::Judgement judgement;
    if (now->text(0, 0) != "t") judgement = {mail::Judgement::Kind::kDrop, "it has thawed"};
    co_return std::vector<mail::Judgement>(mails.size(), judgement);
  }
  awaitable<Result<mail::Judgement>> ask(mail::Letter) override { co_return mail::Judgement{}; }

 private:
  db::PgPool& pool_;
};

class ListingTransport final : public mail::Transport {
 public:
  std::string_view name() const override { return "list"; }
  Limits limits() const override { return {}; }
  awaitable<mail::Delivery> deliver(mail::Parcel parcel, mail::Attempt) override {
    for (const mail::Message& one : parcel.messages) {
      told.push_back(one.recipient + ": " + one.subject + ", " + one.text);
    }
    co_return mail::delivery_of(Status());
  }
  std::vector<std::string> told;
};

class SecondJobTest : public ::testing::Test {
 protected:
  SecondJobTest() {
    db::MigrateOptions schema;
    schema.url = cluster_.url(database_);
    EXPECT_TRUE(test::run_awaitable(io_, db::migrate(io_.get_executor(), schema)));
    cluster_.query(database_,
                   "create table readers (id int, email text); create table weather (degrees int); "
                   "insert into readers values (1, 'a@example.edu'), (2, 'b@example.edu'); "
                   "insert into weather values (-4)");
    db::PgPoolOptions target;
    target.url = cluster_.url(database_);
    pool_.emplace(io_.get_executor(), target, metrics_);
    job_.emplace(*pool_);
    sender_.emplace(io_.get_executor(),
                    *pool_,
                    transport_,
                    clock_,
                    metrics_,
                    mail::SenderOptions{{"f@x.example"}});
    sender_->add_kind("weather", *job_);
  }

  std::string run(WallTime due_at) { return test::run_awaitable(io_, run_job(due_at)); }
  awaitable<std::string> run_job(WallTime due_at) {
    worker::StartRequest request;
    request.due_at = due_at;
    const auto id = co_await job_->start(std::move(request));
    if (!id) co_return id.error().message();
    auto summary = co_await job_->wait(*id);
    co_return *summary;
  }
  void deliver() {
    queue::Consumer consumer(io_.get_executor(),
                             *pool_,
                             clock_,
                             metrics_,
                             sender_->consumer_options(),
                             sender_->handler());
    EXPECT_TRUE(test::run_awaitable(io_, consumer.drain_due()).ok());
  }

  test::PostgresCluster& cluster_ = test::PostgresCluster::shared();
  std::string database_ = cluster_.create_database();
  asio::io_context io_;
  MetricsRegistry metrics_;
  SystemClock clock_;
  ListingTransport transport_;
  std::optional<db::PgPool> pool_;
  std::optional<WeatherJob> job_;
  std::optional<mail::Sender> sender_;
};

TEST_F(SecondJobTest, ItsMailsLeaveLikeOurs) {
  const WallTime today = clock_.wall_now();
  EXPECT_EQ(run(today), "{\"sent\":2}");
  EXPECT_EQ(run(today), "{\"sent\":0}") << "told already today";
  deliver();
  EXPECT_THAT(transport_.told,
              UnorderedElementsAre("a@example.edu: Frost, -4 degrees tonight\n",
                                   "b@example.edu: Frost, -4 degrees tonight\n"));
  EXPECT_EQ(run(today + std::chrono::days(1)), "{\"sent\":2}");
  cluster_.query(database_, "update weather set degrees = 3");
  deliver();
  EXPECT_EQ(transport_.told.size(), 2U);
  EXPECT_EQ(cluster_.value(database_,
                           "select string_agg(event || ' ' || coalesce(detail, ''), '; ' order by "
                           "id) from edged.mail_events where event = 'dropped'"),
            "dropped it has thawed; dropped it has thawed");
}

TEST_F(SecondJobTest, ATickerRunsIt) {
  worker::TickerOptions options;
  options.job = "weather";
  const auto schedule = worker::Schedule::parse("@every 1s", *worker::TimeZone::load("UTC"));
  ASSERT_TRUE(schedule);
  options.schedules = {*schedule};
  std::string summary;
  worker::Ticker ticker(
      io_.get_executor(), std::move(options), clock_, [&](WallTime due_at) -> awaitable<void> {
        if (summary.empty()) summary = co_await run_job(due_at);
        io_.stop();
      });
  ticker.start();
  io_.restart();
  io_.run_for(std::chrono::seconds(60));
  ticker.stop();
  EXPECT_EQ(summary, "{\"sent\":2}");
}

}  // namespace
}  // namespace edged
