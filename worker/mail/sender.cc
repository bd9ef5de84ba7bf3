// SPDX-License-Identifier: Apache-2.0
// A batch: read, looked at, then a coroutine for each letter, which waits for a place at the
// transport, or for each request of an idempotent one. What became of a letter goes as the note of
// its decision to record_events.
#include "worker/mail/sender.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/log.h"
#include "proto/net/spawn.h"
#include "worker/mail/compose.h"
#include "worker/mail/group_sender.h"
#include "worker/mail/letter_outcomes.h"
#include "worker/mail/places.h"
#include "worker/mail/sql.gen.h"
#include "worker/mail/text_array.h"

namespace edged::mail {
namespace {

using boost::asio::awaitable;
constexpr int kAsksMax = 4;

}  // namespace

class Sender::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::any_io_executor executor,
       db::PgPool& pool,
       Transport& transport,
       const Clock& clock,
       MetricsRegistry& metrics,
       SenderOptions options)
      : executor_(executor),
        pool_(pool),
        transport_(transport),
        clock_(clock),
        options_(std::move(options)),
        outcomes_(clock,
                  metrics,
                  options_.attempts_max,
                  {options_.retry_first, options_.retry_max, Jitter::kHalf},
                  options_.seed),
        places_(executor, std::max(1, transport.limits().parallel_max)),
        asks_(executor, kAsksMax),
        groups_(executor, pool, clock, transport, places_, outcomes_, [this](const Letter& letter) {
          return render(letter);
        }) {}

  void add_kind(std::string name, LetterKind& kind) { kinds_[std::move(name)] = &kind; }

  awaitable<Status> handle(std::shared_ptr<queue::Batch> given) {
    const auto batch = std::make_shared<LetterBatch>(executor_, std::move(given));
    read(*batch);
    Status looked = co_await look(batch.get());
    if (looked.ok()) looked = co_await recheck(batch.get());
    std::vector<const LetterItem*> together;
    for (const LetterItem& item : batch->items) {
      if (batch->batch->is_decided(item.index)) continue;
      if (!looked.ok()) {
        outcomes_.retry(*batch, item, looked.message());
      } else if (!is_known(item.letter)) {
        const std::string why = "this worker knows no mails of kind " + item.letter.kind;
        outcomes_.retry(*batch, item, why);
      } else if (item.judgement.kind == Judgement::Kind::kSend && transport_.is_idempotent()) {
        together.push_back(&item);
      } else {
        ++batch->pending;
        net::spawn(executor_, finish(shared_from_this(), batch, &item));
      }
    }
    if (!together.empty()) co_await send_together(batch, std::move(together));
    const LetterBatch* const kept = batch.get();
    co_await batch->ended.wait([kept] { return kept->pending == 0; });
    co_return Status();
  }

  std::optional<db::PgStatement> record(const std::vector<queue::Decision>& decisions) const {
    return event_statement(decisions, transport_.name(), clock_.wall_now());
  }

  int attempts_max() const { return options_.attempts_max; }

 private:
  void read(LetterBatch& batch) {
    const auto& messages = batch.batch->messages();
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const queue::Message& message = messages[i];
      Result<Letter> letter = parse_letter(message.body, message.id);
      if (!letter) {
        log::error("[MAIL] message " + std::to_string(message.id) +
                   " of queue email is no mail: " + letter.error().message());
        batch.batch->bury(i, letter.error().message());
        outcomes_.counters().dead.add();
        continue;
      }
      if (letter->url.empty()) letter->url = options_.identity.public_url;
      letter->claim = message.claim;
      letter->attempts = message.attempts;
      letter->sent_at = message.sent_at;
      letter->is_late = letter->valid_until && *letter->valid_until < clock_.wall_now();
      batch.items.push_back({i, std::move(*letter), {}});
    }
  }

  awaitable<Status> look(LetterBatch* batch) {
    if (batch->items.empty()) co_return Status();
    std::vector<std::string> keys;
    std::vector<std::string> recipients;
    for (const LetterItem& item : batch->items) {
      keys.push_back(item.letter.key);
      recipients.push_back(item.letter.recipient);
    }
    db::PgParameters parameters{text_array(keys), text_array(recipients)};
    const Result<db::PgResult> found =
        co_await pool_.execute(std::string(sql::mail::kLookAtLetters), std::move(parameters));
    if (!found) co_return found.error().with_context("could not check mails before sending them");
    for (int row = 0; row < found->rows(); ++row) {
      const LetterItem& item = batch->items[static_cast<std::size_t>(row)];
      if (found->text(row, 1) == "t") {
        outcomes_.end(*batch, item, {"dropped", "a mail with this key was accepted before"});
      } else if (!found->is_null(row, 0)) {
        outcomes_.end(*batch, item, {"suppressed", std::string(found->text(row, 0))});
      } else if (item.letter.kind.empty() && item.letter.is_late) {
        outcomes_.end(*batch, item, {"expired", "it waited past its valid_until"});
      }
    }
    co_return Status();
  }

  // One statement a kind.
  awaitable<Status> recheck(LetterBatch* batch) {
    for (const auto& [name, kind] : kinds_) {
      std::vector<Letter> letters;
      std::vector<LetterItem*> items;
      for (LetterItem& item : batch->items) {
        if (item.letter.kind != name || batch->batch->is_decided(item.index)) continue;
        letters.push_back(item.letter);
        items.push_back(&item);
      }
      if (letters.empty()) continue;
      auto judged = co_await kind->recheck(std::move(letters));
      if (!judged) co_return judged.error();
      for (std::size_t i = 0; i < items.size() && i < judged->size(); ++i) {
        items[i]->judgement = std::move((*judged)[i]);
      }
    }
    co_return Status();
  }

  bool is_known(const Letter& letter) const {
    return letter.kind.empty() || kinds_.contains(letter.kind);
  }

  // Takes one letter to its end. `item` belongs to `batch`.
  static awaitable<void> finish(std::shared_ptr<Impl> self,
                                std::shared_ptr<LetterBatch> batch,
                                const LetterItem* item) {
    Judgement judgement = item->judgement;
    if (judgement.kind == Judgement::Kind::kAskFirst) {
      co_await self->asks_.take();
      if (!batch->batch->is_stopping()) judgement = co_await self->ask(item);
      self->asks_.give();
    }
    if (judgement.kind != Judgement::Kind::kSend) {
      self->apply(*batch, *item, judgement);
    } else if (self->transport_.is_idempotent()) {
      std::vector<const LetterItem*> alone;
      alone.push_back(item);
      co_await self->send_together(batch, std::move(alone));
    } else {
      co_await self->places_.take();
      if (!batch->is_over()) co_await self->send(batch.get(), item);
      self->places_.give();
    }
    batch->leave();
  }

  awaitable<void> send_together(std::shared_ptr<LetterBatch> batch,
                                std::vector<const LetterItem*> items) {
    std::shared_ptr<GroupSender> groups(shared_from_this(), &groups_);
    return GroupSender::send(std::move(groups), std::move(batch), std::move(items));
  }

  awaitable<Judgement> ask(const LetterItem* item) {
    Letter copy = item->letter;
    auto answer = co_await kinds_.at(item->letter.kind)->ask(std::move(copy));
    Judgement judgement{Judgement::Kind::kRetry, {}};
    if (answer) {
      judgement = std::move(*answer);
    } else {
      judgement.reason = answer.error().message();
    }
    co_return judgement;
  }

  void apply(LetterBatch& batch, const LetterItem& item, const Judgement& judgement) {
    switch (judgement.kind) {
      case Judgement::Kind::kDrop:
        return outcomes_.end(batch, item, {"dropped", judgement.reason});
      case Judgement::Kind::kRetry:
        return outcomes_.retry(batch, item, judgement.reason);
      case Judgement::Kind::kDropped:
        outcomes_.counters().dropped.add();
        return batch.batch->forget(item.index);
      case Judgement::Kind::kLost:
        return batch.batch->forget(item.index);
      case Judgement::Kind::kSend:
      case Judgement::Kind::kAskFirst:
        return;  // stopping: given back
    }
  }

  Result<Message> render(const Letter& letter) const {
    MailIdentity identity = options_.identity;
    if (options_.unsubscribe_secret) identity.unsubscribe_secret = options_.unsubscribe_secret();
    if (letter.kind.empty()) return compose(letter, letter.content, identity);
    const Result<Content> content = kinds_.at(letter.kind)->render(letter);
    if (!content) return content.error();
    return compose(letter, *content, identity);
  }

  awaitable<void> send(LetterBatch* batch, const LetterItem* item) {
    Result<Message> message = render(item->letter);
    if (!message) {
      outcomes_.bury(*batch, *item, message.error().message());
      co_return;
    }
    Parcel parcel;
    parcel.key = message->message_id;
    parcel.messages.push_back(std::move(*message));
    const int attempts = item->letter.attempts;
    const Attempt attempt = attempts > 1 ? Attempt::kRepeated : Attempt::kFirst;
    Delivery delivery = co_await transport_.deliver(std::move(parcel), attempt);
    LetterOutcomes::tell(delivery);
    const auto& ids = delivery.provider_ids;
    const WallTime due_at = outcomes_.next_attempt(attempts, delivery.retry_after);
    outcomes_.settle(*batch, *item, delivery, ids.empty() ? std::string() : ids.front(), due_at);
  }

  boost::asio::any_io_executor executor_;
  db::PgPool& pool_;
  Transport& transport_;
  const Clock& clock_;
  const SenderOptions options_;
  std::map<std::string, LetterKind*> kinds_;
  LetterOutcomes outcomes_;
  Places places_;  // at the transport
  Places asks_;
  GroupSender groups_;
};

Sender::Sender(boost::asio::any_io_executor executor,
               db::PgPool& pool,
               Transport& transport,
               const Clock& clock,
               MetricsRegistry& metrics,
               SenderOptions options)
    : impl_(std::make_shared<Impl>(
          std::move(executor), pool, transport, clock, metrics, std::move(options))) {}
Sender::~Sender() = default;

void Sender::add_kind(std::string name, LetterKind& kind) {
  impl_->add_kind(std::move(name), kind);
}

queue::Handler Sender::handler() {
  return [impl = impl_](std::shared_ptr<queue::Batch> batch) {
    return impl->handle(std::move(batch));
  };
}

queue::ConsumerOptions Sender::consumer_options() const {
  queue::ConsumerOptions options;
  options.queue = kMailQueue;
  options.max_batch_size = 100;
  options.max_batch_timeout = std::chrono::milliseconds(0);
  options.max_concurrency = 4;
  options.max_retries = impl_->attempts_max() - 1;
  options.record = [impl = impl_](const std::vector<queue::Decision>& decisions) {
    return impl->record(decisions);
  };
  return options;
}

}  // namespace edged::mail
