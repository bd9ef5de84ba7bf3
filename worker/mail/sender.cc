// SPDX-License-Identifier: Apache-2.0
// A batch: read, looked at, then a coroutine for each letter, which waits for a place at the
// transport. What became of it goes as the note of its decision to record_events.
#include "worker/mail/sender.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "proto/base/backoff.h"
#include "proto/base/log.h"
#include "proto/json/write_json.h"
#include "proto/net/condition.h"
#include "proto/net/spawn.h"
#include "worker/mail/compose.h"
#include "worker/mail/mime.h"
#include "worker/mail/sender_counters.h"
#include "worker/mail/sql.gen.h"

namespace edged::mail {
namespace {

using boost::asio::awaitable;
namespace json = boost::json;
constexpr std::size_t kDetailBytesMax = 500;
constexpr int kAsksMax = 4;

struct Event {
  std::string event, detail{}, provider_id{};
  bool is_bad_address = false;
};

std::string note_of(const Letter& letter, const Event& event) {
  json::object object;
  object["key"] = letter.key;
  object["recipient"] = letter.recipient;
  object["event"] = event.event;
  if (!event.detail.empty()) object["detail"] = one_line(event.detail, kDetailBytesMax);
  if (!event.provider_id.empty()) object["provider_id"] = one_line(event.provider_id, 200);
  if (event.is_bad_address) object["bad_address"] = true;
  return write_json(object);
}

// What became dead without the sender, as a message that is no mail, has no note.
json::array events_of(const std::vector<queue::Decision>& decisions) {
  json::array events;
  for (const queue::Decision& decision : decisions) {
    if (decision.note.empty()) continue;
    json::value event = json::parse(decision.note);
    if (decision.kind == queue::Decision::Kind::kDead) event.as_object()["event"] = "dead";
    events.push_back(std::move(event));
  }
  return events;
}

// An array of PostgreSQL.
std::string array_text(const std::vector<std::string>& texts) {
  std::string out("{");
  for (const std::string& text : texts) {
    out.append(out.size() > 1 ? ",\"" : "\"");
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out += '}';
}

// Places for so many at once.
class Places {
 public:
  Places(const boost::asio::any_io_executor& executor, int count)
      : freed_(executor), free_(count) {}
  awaitable<void> take() {
    co_await freed_.wait([this] { return free_ > 0; });
    --free_;
  }
  void give() {
    ++free_;
    freed_.notify_all();
  }

 private:
  net::AsyncCondition freed_;
  int free_;
};

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
        counters_(metrics),
        options_(std::move(options)),
        places_(executor, std::max(1, transport.limits().parallel_max)),
        asks_(executor, kAsksMax),
        random_(options_.seed) {}

  void add_kind(std::string name, LetterKind& kind) { kinds_[std::move(name)] = &kind; }

  awaitable<Status> handle(std::shared_ptr<queue::Batch> batch) {
    const auto work = std::make_shared<Work>(executor_, std::move(batch));
    read(*work);
    Status looked = co_await look(work.get());
    if (looked.ok()) looked = co_await recheck(work.get());
    for (const Item& item : work->items) {
      if (work->batch->is_decided(item.index)) continue;
      if (!looked.ok()) {
        retry(*work, item, looked.message(), std::nullopt);
        continue;
      }
      ++work->pending;
      net::spawn(executor_, finish(shared_from_this(), work, &item));
    }
    const Work* const kept = work.get();
    co_await work->ended.wait([kept] { return kept->pending == 0; });
    co_return Status();
  }

  std::optional<db::PgStatement> record(const std::vector<queue::Decision>& decisions) const {
    json::array events = events_of(decisions);
    if (events.empty()) return std::nullopt;
    db::PgStatement statement{std::string(sql::mail::kRecordEvents), {}};
    statement.parameters.emplace_back(write_json(events));
    statement.parameters.emplace_back(std::string(transport_.name()));
    statement.parameters.emplace_back(format_rfc3339(clock_.wall_now()));
    return statement;
  }

  int attempts_max() const { return options_.attempts_max; }

 private:
  struct Item {
    std::size_t index = 0;
    Letter letter;
    Judgement judgement{};
  };
  // A batch under way.
  struct Work {
    Work(const boost::asio::any_io_executor& executor, std::shared_ptr<queue::Batch> given)
        : batch(std::move(given)), ended(executor) {}
    const std::shared_ptr<queue::Batch> batch;
    std::vector<Item> items;  // not changed once letters are under way
    std::size_t pending = 0;
    net::AsyncCondition ended;
  };

  void read(Work& work) {
    const auto& messages = work.batch->messages();
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const queue::Message& message = messages[i];
      Result<Letter> letter = parse_letter(message.body, message.id);
      if (!letter) {
        log::error("[MAIL] message " + std::to_string(message.id) +
                   " of queue email is no mail: " + letter.error().message());
        work.batch->bury(i, letter.error().message());
        counters_.dead.add();
        continue;
      }
      if (letter->url.empty()) letter->url = options_.identity.public_url;
      letter->claim = message.claim;
      letter->attempts = message.attempts;
      letter->sent_at = message.sent_at;
      letter->is_late = letter->valid_until && *letter->valid_until < clock_.wall_now();
      work.items.push_back({i, std::move(*letter), {}});
    }
  }

  awaitable<Status> look(Work* work) {
    if (work->items.empty()) co_return Status();
    std::vector<std::string> keys;
    std::vector<std::string> recipients;
    for (const Item& item : work->items) {
      keys.push_back(item.letter.key);
      recipients.push_back(item.letter.recipient);
    }
    db::PgParameters parameters{array_text(keys), array_text(recipients)};
    const Result<db::PgResult> found =
        co_await pool_.execute(std::string(sql::mail::kLookAtLetters), std::move(parameters));
    if (!found) co_return found.error().with_context("could not check mails before sending them");
    for (int row = 0; row < found->rows(); ++row) {
      const Item& item = work->items[static_cast<std::size_t>(row)];
      if (found->text(row, 1) == "t") {
        end(*work, item, {"dropped", "a mail with this key was accepted before"});
      } else if (!found->is_null(row, 0)) {
        end(*work, item, {"suppressed", std::string(found->text(row, 0))});
      } else if (item.letter.kind.empty() && item.letter.is_late) {
        end(*work, item, {"expired", "it waited past its valid_until"});
      }
    }
    co_return Status();
  }

  // One statement a kind.
  awaitable<Status> recheck(Work* work) {
    for (const auto& [name, kind] : kinds_) {
      std::vector<Letter> letters;
      std::vector<Item*> items;
      for (Item& item : work->items) {
        if (item.letter.kind != name || work->batch->is_decided(item.index)) continue;
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

  // Takes one letter to its end. `item` belongs to `work`.
  static awaitable<void> finish(std::shared_ptr<Impl> self,
                                std::shared_ptr<Work> work,
                                const Item* item) {
    Judgement judgement = item->judgement;
    if (judgement.kind == Judgement::Kind::kAskFirst) {
      co_await self->asks_.take();
      if (!work->batch->is_stopping()) judgement = co_await self->ask(item);
      self->asks_.give();
    }
    if (judgement.kind == Judgement::Kind::kSend) {
      co_await self->places_.take();
      const bool is_begun = !work->batch->is_stopping() && !work->batch->is_lost();
      if (is_begun) co_await self->send(work.get(), item);
      self->places_.give();
    } else {
      self->apply(*work, *item, judgement);
    }
    --work->pending;
    work->ended.notify_all();
  }

  awaitable<Judgement> ask(const Item* item) {
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

  void apply(Work& work, const Item& item, const Judgement& judgement) {
    switch (judgement.kind) {
      case Judgement::Kind::kDrop:
        return end(work, item, {"dropped", judgement.reason});
      case Judgement::Kind::kRetry:
        return retry(work, item, judgement.reason, std::nullopt);
      case Judgement::Kind::kDropped:
        counters_.dropped.add();
        return work.batch->forget(item.index);
      case Judgement::Kind::kLost:
        return work.batch->forget(item.index);
      case Judgement::Kind::kSend:
      case Judgement::Kind::kAskFirst:
        return;  // stopping: given back
    }
  }

  Result<Message> render(const Letter& letter) const {
    if (letter.kind.empty()) return compose(letter, letter.content, options_.identity);
    const Result<Content> content = kinds_.at(letter.kind)->render(letter);
    if (!content) return content.error();
    return compose(letter, *content, options_.identity);
  }

  awaitable<void> send(Work* work, const Item* item) {
    const Letter& letter = item->letter;
    if (!letter.kind.empty() && !kinds_.contains(letter.kind)) {
      retry(*work, *item, "this worker knows no mails of kind " + letter.kind, std::nullopt);
      co_return;
    }
    Result<Message> message = render(letter);
    if (!message) {
      bury(*work, *item, message.error().message(), false);
      co_return;
    }
    Parcel parcel;
    parcel.key = message->message_id;
    parcel.messages.push_back(std::move(*message));
    if (transport_.is_idempotent()) parcel.frozen = transport_.freeze(parcel.messages);
    const Attempt attempt = letter.attempts > 1 ? Attempt::kRepeated : Attempt::kFirst;
    Delivery delivery = co_await transport_.deliver(std::move(parcel), attempt);
    settle(*work, *item, delivery);
  }

  void settle(Work& work, const Item& item, const Delivery& delivery) {
    switch (delivery.outcome) {
      case Delivery::Outcome::kAccepted: {
        const auto& ids = delivery.provider_ids;
        return end(work, item, {"accepted", delivery.detail, ids.empty() ? "" : ids.front()});
      }
      case Delivery::Outcome::kAddressBad:
      case Delivery::Outcome::kMessageBad:
        return bury(
            work, item, delivery.detail, delivery.outcome == Delivery::Outcome::kAddressBad);
      case Delivery::Outcome::kMisconfigured:
        log::error("[MAIL] no mail leaves until this is mended: " + delivery.detail);
        break;
      case Delivery::Outcome::kTemporary:
      case Delivery::Outcome::kUnknown:  // rather one more copy than none
        break;
    }
    retry(work, item, delivery.detail, delivery.retry_after);
  }

  void end(Work& work, const Item& item, const Event& event) {
    (event.event == "accepted" ? counters_.sent : counters_.dropped).add();
    work.batch->ack(item.index, note_of(item.letter, event));
  }

  void bury(Work& work, const Item& item, const std::string& why, bool is_bad_address) {
    counters_.dead.add();
    log::error("[MAIL] mail " + item.letter.key + " will never be sent");
    work.batch->bury(item.index, why, note_of(item.letter, {"dead", why, {}, is_bad_address}));
  }

  void retry(Work& work,
             const Item& item,
             const std::string& why,
             std::optional<std::chrono::milliseconds> asked) {
    if (item.letter.attempts >= options_.attempts_max) return bury(work, item, why, false);
    const Backoff::Options backoff{options_.retry_first, options_.retry_max, Jitter::kHalf};
    auto delay = Backoff::delay(backoff, std::max(0, item.letter.attempts - 1), random_);
    if (asked) delay = std::max(delay, *asked);
    counters_.retried.add();
    work.batch->retry(item.index, clock_.wall_now() + delay, note_of(item.letter, {"retry", why}));
  }

  boost::asio::any_io_executor executor_;
  db::PgPool& pool_;
  Transport& transport_;
  const Clock& clock_;
  SenderCounters counters_;
  SenderOptions options_;
  std::map<std::string, LetterKind*> kinds_;
  Places places_;
  Places asks_;
  std::mt19937_64 random_;
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
