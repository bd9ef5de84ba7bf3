// SPDX-License-Identifier: Apache-2.0
// The delivery loop. Each mail costs two statements: the last look, which renews the lease, and the
// completion.
#include "worker/class_monitor/outbox.h"

#include <boost/asio.hpp>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "proto/base/units.h"
#include "proto/net/condition.h"
#include "proto/net/spawn.h"
#include "worker/class_monitor/lease_keeper.h"
#include "worker/class_monitor/outbox_row.h"
#include "worker/class_monitor/outbox_store.h"
#include "worker/mail/mime.h"
#include "worker/mail/suppressions.h"

namespace edged::mail {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kRunPause{200};
// While late mails are delivered, one at a time, others are looked for this often.
constexpr std::chrono::milliseconds kOthersPause{1000};
// A mail for the log: its row, by which everything else is found.
std::string name_of(const OutboxRow& row) {
  return "the mail in row " + std::to_string(row.lease.id) + " of edged.mails (notification " +
         one_line(row.notification_id, 200) + ")";
}

constexpr const char* kClosedAgain = "closed again before sending";
constexpr const char* kSeatsUnknown = "it is not known how many seats are open";

}  // namespace

class OutboxDelivery::Impl {
 public:
  Impl(asio::any_io_executor executor,
       db::PgPool& pool,
       Transport& transport,
       const Clock& clock,
       MetricsRegistry& metrics,
       OutboxOptions options,
       AskSeats ask)
      : executor_(std::move(executor)),
        store_(pool, clock, {options.batch_size, options.lease, options.state_age_max}),
        suppressions_(pool, clock),
        inquiry_(executor_,
                 std::move(ask),
                 [this] { return store_.next_epoch(); },
                 clock,
                 {.answer_age_max = options.state_age_max}),
        transport_(transport),
        clock_(clock),
        counter_(metrics),
        options_(std::move(options)),
        timer_(executor_),
        random_(options_.seed) {}

  asio::awaitable<Result<OutboxCounts>> deliver_due() {
    OutboxCounts counts;
    for (;;) {
      const Result<bool> more = co_await deliver_batch(&counts);
      if (!more) co_return more.error();
      if (!*more) co_return counts;
    }
  }

  asio::awaitable<void> run() {
    while (!stopped_) {
      woken_ = false;
      Result<OutboxCounts> delivered = co_await deliver_due();
      note_outcome(delivered ? Status() : delivered.error());
      if (woken_ || stopped_) continue;
      timer_.expires_after(options_.poll_interval);
      co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  void wake() {
    woken_ = true;
    look_for_others_at_ = {};
    timer_.cancel();
  }

  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

  asio::awaitable<Result<int>> deliver_run(std::int64_t run_id,
                                           std::chrono::milliseconds patience) {
    const auto effort = std::make_shared<Effort>(executor_);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    net::spawn(executor_, deliver_until_sent(run_id, effort));
    const Effort* const kept = effort.get();
    const bool is_over =
        co_await effort->ended.wait_until(deadline, [kept] { return kept->is_over; });
    if (!is_over) stop();
    if (!effort->status.ok()) co_return effort->status;
    co_return co_await store_.pending_of_run(run_id);
  }

 private:
  // Of deliver_run(), which does not wait for its end.
  struct Effort {
    explicit Effort(const asio::any_io_executor& executor) : ended(executor) {}
    net::AsyncCondition ended;
    bool is_over = false;
    Status status;
  };

  asio::awaitable<void> deliver_until_sent(std::int64_t run_id, std::shared_ptr<Effort> effort) {
    OutboxCounts counts;
    while (!stopped_) {
      const Result<bool> more = co_await deliver_batch(&counts);
      const Result<int> pending = co_await store_.pending_of_run(run_id);
      effort->status = !more ? more.error() : !pending ? pending.error() : Status();
      if (!effort->status.ok() || *pending == 0) break;
      if (*more) continue;
      timer_.expires_after(kRunPause);
      co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    effort->is_over = true;
    effort->ended.notify_all();
  }

  // False: nothing more is due.
  asio::awaitable<Result<bool>> deliver_batch(OutboxCounts* counts) {
    const bool only_late = clock_.boot_now() < look_for_others_at_;
    Result<std::vector<OutboxRow>> rows = co_await store_.claim(only_late);
    if (!rows) co_return rows.error();
    const bool late_alone = rows->size() == 1 && rows->front().is_late;
    if (!late_alone) {
      look_for_others_at_ = {};
      if (only_late) co_return true;
    } else if (!only_late) {
      look_for_others_at_ = clock_.boot_now() + kOthersPause;
    }
    // A batch with a late mail is not full, and yet there may be more.
    const bool is_last = rows->size() < static_cast<std::size_t>(options_.batch_size) &&
                         (rows->empty() || !rows->back().is_late);
    for (OutboxRow& row : *rows) {
      if (stopped_) co_return false;  // the leases of the rest run out
      const Status done = co_await deliver(std::move(row), counts);
      if (!done.ok()) co_return done;
    }
    co_return !is_last;
  }

  // Takes one row to its next status. Errors: of PostgreSQL only.
  asio::awaitable<Status> deliver(OutboxRow row, OutboxCounts* counts) {
    row.looked_at = clock_.boot_now();
    Result<LastLook> look = co_await store_.look(row.lease, 1);
    if (!look) co_return look.error();
    row.attempts = look->attempts;
    Result<Verdict> verdict = co_await judge(&row, std::move(*look));
    if (!verdict) co_return verdict.error();
    if (verdict->kind == Verdict::Kind::kSend) {
      Verdict sent = co_await send(&row);
      *verdict = std::move(sent);
    }
    Status recorded = co_await record(&row, std::move(*verdict), counts);
    co_return recorded;
  }

  // Truth table rows 11 and 12. An instructor's name does not go stale: only seats are judged
  // again.
  asio::awaitable<Result<Verdict>> judge(const OutboxRow* row, LastLook look) {
    if (std::optional<Verdict> over = judge_rights(look)) co_return *over;
    const bool about_seats =
        row->notification_type == notification_type_name(NotificationType::kSeatAvailable);
    if (!look.is_late || !about_seats) co_return Verdict{};
    const Opening known = judge_state(look.known, look.include_reserved);
    const bool is_believed = look.is_recent && known != Opening::kUnknown;
    if (is_believed || !inquiry_.possible()) co_return judge_opening(row, known);
    Result<Verdict> verdict = co_await ask_and_judge(row, std::move(look));
    co_return verdict;
  }

  static std::optional<Verdict> judge_rights(const LastLook& look) {
    if (look.lease_lost) return Verdict{Verdict::Kind::kLost, {}};
    if (look.refusal) return Verdict{Verdict::Kind::kDrop, *look.refusal};
    return std::nullopt;
  }

  Verdict judge_opening(const OutboxRow* row, Opening opening) {
    if (opening == Opening::kOpen) return {};
    if (opening == Opening::kClosed) return {Verdict::Kind::kDropAndRelease, kClosedAgain};
    return failed(row, std::string(kSeatsUnknown));
  }

  asio::awaitable<Result<Verdict>> ask_and_judge(const OutboxRow* row, LastLook look) {
    const SectionQuestion question{row->class_nbr, row->term};
    SectionQuestion copy = question;
    LeaseKeeper keeper(executor_, store_, row->lease, options_.lease / 3);
    Result<SeatAnswer> answer = co_await inquiry_.ask(std::move(copy));
    co_await keeper.stop();
    if (!answer) co_return answer.error();
    if (answer->is_new) look_for_others_at_ = {};  // it may have taken long
    if (!answer->seats) {
      const Status why =
          answer->seats.error().with_context("could not ask whether the section is still open");
      co_return failed(row, why.message());
    }
    const Opening opening = judge_answer(look.known, *answer->seats, look.include_reserved);
    if (opening == Opening::kUnknown) {
      inquiry_.doubt(question);
      co_return judge_opening(row, opening);
    }
    if (opening == Opening::kOpen && !answer->is_new) co_return Verdict{};
    if (opening == Opening::kClosed) {
      Closing closing{answer->epoch, answer->asked_at, *answer->seats};
      Result<Settlement> settled =
          co_await store_.settle_closing(row->lease, std::move(closing), kClosedAgain);
      if (settled.code() == Code::kInvalidArgument || settled.code() == Code::kDenied) {
        co_return failed(row, settled.error().message());  // the application's rules are against it
      }
      if (!settled) co_return settled.error();
      if (*settled == Settlement::kDone) co_return Verdict{Verdict::Kind::kDropped, {}};
      if (*settled == Settlement::kLeaseLost) co_return Verdict{Verdict::Kind::kLost, {}};
      inquiry_.forget(question);
    }
    Result<LastLook> again = co_await store_.look(row->lease, 0);
    if (!again) co_return again.error();
    co_return judge_anew(row, *again, opening);
  }

  // Judges again after the upstream has said `answer`, because much may have happened meanwhile. If
  // a newer run stored a state, that state counts; otherwise the answer does.
  Verdict judge_anew(const OutboxRow* row, const LastLook& look, Opening answer) {
    if (std::optional<Verdict> over = judge_rights(look)) return *over;
    const Opening known = judge_state(look.known, look.include_reserved);
    if (known == Opening::kUnknown || !look.is_recent) return judge_opening(row, answer);
    return judge_opening(row, known);
  }

  // Sends the mail. kSend in the result means that it was sent.
  asio::awaitable<Verdict> send(const OutboxRow* row) {
    using Kind = Verdict::Kind;
    // A fault of the configuration, not of the mail: the mail waits until it is mended.
    const Result<Address> sender = parse_address(options_.identity.from);
    if (!sender) {
      const Status why = sender.error().with_context("could not use the sender (mail.from)");
      co_return Verdict{Kind::kRetry, why.message()};
    }
    Result<MailFacts> facts = read_facts(*row);
    if (!facts) co_return Verdict{Kind::kDead, facts.error().message()};
    Result<Message> message = render_message(*facts, options_.identity);
    if (!message) co_return Verdict{Kind::kDead, message.error().message()};
    // A process that was suspended may have lost the lease without noticing.
    const bool stalled = clock_.boot_now() - row->looked_at >= options_.lease;
    const Attempt attempt = row->lease.number > 1 || stalled ? Attempt::kRepeated : Attempt::kFirst;
    LeaseKeeper keeper(executor_, store_, row->lease, options_.lease / 3);
    Parcel parcel;
    parcel.key = message->message_id;
    parcel.messages.push_back(std::move(*message));
    parcel.frozen = transport_.freeze(parcel.messages);
    const Delivery delivery = co_await transport_.deliver(std::move(parcel), attempt);
    co_await keeper.stop();
    co_await suppressions_.note(row->recipient, delivery);
    co_return judge_delivery(row, delivery);
  }

  Verdict judge_delivery(const OutboxRow* row, const Delivery& delivery) {
    using Kind = Verdict::Kind;
    switch (delivery.outcome) {
      case Delivery::Outcome::kAccepted:
        return {Kind::kSend, {}};
      case Delivery::Outcome::kAddressBad:
      case Delivery::Outcome::kMessageBad:
        return {Kind::kDead, delivery.detail};
      case Delivery::Outcome::kMisconfigured:
        return {Kind::kRetry, delivery.detail};  // waits until it is mended
      case Delivery::Outcome::kTemporary:
      case Delivery::Outcome::kUnknown:
        break;
    }
    return failed(row, delivery.detail);
  }

  Verdict failed(const OutboxRow* row, const std::string& why) {
    if (row->attempts < options_.attempts_max) return {Verdict::Kind::kRetry, why};
    return {Verdict::Kind::kDead,
            std::to_string(row->attempts) + " attempts failed; the last one: " + why};
  }

  asio::awaitable<Status> record(const OutboxRow* row, Verdict verdict, OutboxCounts* counts) {
    Result<bool> recorded = co_await write(row, &verdict);
    if (!recorded) co_return recorded.error();
    if (*recorded && verdict.kind == Verdict::Kind::kDead) {
      log::error("[MAIL] could not send " + name_of(*row) + ", and it will not be tried again: " +
                 without_address(verdict.reason, row->recipient));
    }
    counter_.count(*recorded ? verdict.kind : Verdict::Kind::kLost, *counts);
    co_return Status();
  }

  // False: the lease is lost.
  asio::awaitable<Result<bool>> write(const OutboxRow* row, const Verdict* verdict) {
    switch (verdict->kind) {
      case Verdict::Kind::kSend:
        return store_.finish(row->lease, "sent", std::nullopt);
      case Verdict::Kind::kDrop:
        return store_.finish(row->lease, "dropped", verdict->reason);
      case Verdict::Kind::kDead:
        return store_.finish(row->lease, "dead", verdict->reason);
      case Verdict::Kind::kDropAndRelease:
        return store_.drop_and_release(row->lease, verdict->reason);
      case Verdict::Kind::kRetry:
        return retry_later(row, verdict);
      case Verdict::Kind::kDropped:
        return answer_with(true);
      case Verdict::Kind::kLost:
        break;
    }
    return answer_with(false);
  }
  asio::awaitable<Result<bool>> retry_later(const OutboxRow* row, const Verdict* verdict) {
    const std::chrono::milliseconds delay = retry_delay(row->attempts);
    log::warn("[MAIL] could not send " + name_of(*row) + "; it is tried again in " +
              format_duration(delay) + ": " + without_address(verdict->reason, row->recipient));
    return store_.retry(row->lease, delay);
  }

  static asio::awaitable<Result<bool>> answer_with(bool value) { co_return value; }

  std::chrono::milliseconds retry_delay(int attempts) {
    const Backoff::Options backoff{options_.retry_first, options_.retry_max, Jitter::kHalf};
    return Backoff::delay(backoff, attempts - 1, random_);
  }

  // Says once that the loop fails, and once that it works again.
  void note_outcome(const Status& status) {
    if (status.ok() != last_pass_ok_) {
      if (status.ok()) {
        log::info("[MAIL] mails are delivered again");
      } else {
        log::warn("[MAIL] " + status.message() + "; it is tried again");
      }
    }
    last_pass_ok_ = status.ok();
  }

  asio::any_io_executor executor_;
  OutboxStore store_;
  Suppressions suppressions_;
  SeatInquiry inquiry_;
  Transport& transport_;
  const Clock& clock_;
  VerdictCounter counter_;
  OutboxOptions options_;
  asio::steady_timer timer_;
  std::mt19937_64 random_;
  std::chrono::milliseconds look_for_others_at_{};  // boot time; until then only late mails
  bool woken_ = false;
  bool stopped_ = false;
  bool last_pass_ok_ = true;
};

OutboxDelivery::OutboxDelivery(asio::any_io_executor executor,
                               db::PgPool& pool,
                               Transport& transport,
                               const Clock& clock,
                               MetricsRegistry& metrics,
                               OutboxOptions options,
                               AskSeats ask)
    : impl_(std::make_unique<Impl>(std::move(executor),
                                   pool,
                                   transport,
                                   clock,
                                   metrics,
                                   std::move(options),
                                   std::move(ask))) {}
OutboxDelivery::~OutboxDelivery() = default;

asio::awaitable<Result<OutboxCounts>> OutboxDelivery::deliver_due() {
  return impl_->deliver_due();
}
asio::awaitable<void> OutboxDelivery::run() {
  return impl_->run();
}
void OutboxDelivery::wake() {
  impl_->wake();
}
void OutboxDelivery::stop() {
  impl_->stop();
}
asio::awaitable<Result<int>> OutboxDelivery::deliver_run(std::int64_t run_id,
                                                         std::chrono::milliseconds patience) {
  return impl_->deliver_run(run_id, patience);
}

}  // namespace edged::mail
