// SPDX-License-Identifier: Apache-2.0
#include "worker/mail/group_sender.h"

#include <algorithm>
#include <map>
#include <utility>

#include "proto/base/log.h"
#include "proto/net/spawn.h"

namespace edged::mail {

using boost::asio::awaitable;

namespace {

// Of the contents of a request: far below what providers take, and small in PostgreSQL.
constexpr std::size_t kRequestBytesMax = 4 << 20;

std::size_t bytes_of(const Message& message) {
  return message.subject.size() + message.text.size() + message.html.size();
}

bool is_refused(const Delivery& delivery) {
  return delivery.outcome == Delivery::Outcome::kMessageBad ||
         delivery.outcome == Delivery::Outcome::kAddressBad;
}

}  // namespace

awaitable<void> GroupSender::send(std::shared_ptr<GroupSender> self,
                                  std::shared_ptr<LetterBatch> batch,
                                  std::vector<const LetterItem*> items) {
  std::vector<std::string> keys;
  for (const LetterItem* item : items) keys.push_back(item->letter.key);
  Result<std::vector<MailGroup>> stored = co_await self->groups_.find(std::move(keys));
  if (!stored) {
    for (const LetterItem* item : items) {
      self->outcomes_.retry(*batch, *item, stored.error().message());
    }
    co_return;
  }
  std::vector<Request> requests = self->make_requests(*batch, items, *std::move(stored));
  for (Request& request : requests) {
    ++batch->pending;
    net::spawn(self->executor_, perform(self, batch, std::move(request)));
  }
}

std::vector<GroupSender::Request> GroupSender::make_requests(
    LetterBatch& batch,
    const std::vector<const LetterItem*>& items,
    std::vector<MailGroup> stored) {
  struct Found {
    std::size_t request, place;
  };
  std::vector<Request> requests(stored.size());
  std::map<std::string, Found> found;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    for (std::size_t place = 0; place < stored[i].keys.size(); ++place) {
      found.emplace(stored[i].keys[place], Found{i, place});
    }
    requests[i].group = std::move(stored[i]);
  }
  std::vector<Request> fresh;
  for (const LetterItem* item : items) {
    const auto known = found.find(item->letter.key);
    if (known != found.end()) {
      requests[known->second.request].members.push_back({item, known->second.place});
      continue;
    }
    add(batch, item, &fresh);
  }
  std::erase_if(requests, [](const Request& request) { return request.members.empty(); });
  for (Request& request : fresh) requests.push_back(std::move(request));
  return requests;
}

// To the last request, or to a new one if that is full. A key that is queued twice is sent once.
void GroupSender::add(LetterBatch& batch, const LetterItem* item, std::vector<Request>* requests) {
  for (Request& request : *requests) {
    const auto& keys = request.group.keys;
    const auto same = std::find(keys.begin(), keys.end(), item->letter.key);
    if (same == keys.end()) continue;
    request.members.push_back({item, static_cast<std::size_t>(same - keys.begin())});
    return;
  }
  Result<Message> message = render_(item->letter);
  if (!message) return outcomes_.bury(batch, *item, message.error().message());
  const std::size_t bytes = bytes_of(*message);
  const bool is_full = requests->empty() ||
                       requests->back().messages.size() >= transport_.limits().batch_max ||
                       requests->back().bytes + bytes > kRequestBytesMax;
  if (is_full) requests->emplace_back();
  Request& request = requests->back();
  request.members.push_back({item, request.messages.size()});
  request.group.keys.push_back(item->letter.key);
  request.messages.push_back(*std::move(message));
  request.bytes += bytes;
}

awaitable<void> GroupSender::perform(std::shared_ptr<GroupSender> self,
                                     std::shared_ptr<LetterBatch> batch,
                                     Request request) {
  co_await self->places_.take();
  if (!batch->is_over()) co_await self->make(batch.get(), &request);
  self->places_.give();
  batch->leave();
}

// False: it could not be stored, and its letters are tried again.
awaitable<bool> GroupSender::store(LetterBatch* batch, Request* request) {
  request->group.body = transport_.freeze(request->messages);
  request->messages.clear();
  std::vector<std::string> keys = request->group.keys;
  Result<std::optional<std::string>> id =
      co_await groups_.store(request->group.body, std::move(keys));
  if (id && *id) {
    request->group.id = **std::move(id);
    co_return true;
  }
  const std::string why = id ? "one of these mails is being sent elsewhere" : id.error().message();
  retry(*batch, *request, why);
  co_return false;
}

awaitable<void> GroupSender::make(LetterBatch* batch, Request* request) {
  const bool is_repeated = !request->group.id.empty();
  if (!is_repeated) {
    const bool is_stored = co_await store(batch, request);
    if (!is_stored) co_return;
  }
  Parcel parcel;
  parcel.key = request->group.id;
  parcel.frozen = request->group.body;
  parcel.frozen_mails = request->group.keys.size();
  const Attempt attempt = is_repeated ? Attempt::kRepeated : Attempt::kFirst;
  Delivery delivery = co_await transport_.deliver(std::move(parcel), attempt);
  if (is_refused(delivery) && request->group.keys.size() > 1) {
    log::warn(
        "[MAIL] " + std::to_string(request->group.keys.size()) +
        " mails that were sent together were refused; they are sent in halves: " + delivery.detail);
    std::string id = request->group.id;
    const Status dissolved = co_await groups_.dissolve(std::move(id));
    if (dissolved.ok()) {
      co_await send_halves(batch, request);
    } else {
      retry(*batch, *request, dissolved.message());
    }
    co_return;
  }
  settle(*batch, *request, delivery);
}

// In halves, so that a letter that is refused costs few requests. One after the other: the
// provider's rate is the bound anyway.
awaitable<void> GroupSender::send_halves(LetterBatch* batch, const Request* request) {
  const auto& members = request->members;
  const std::size_t half = (members.size() + 1) / 2;
  for (std::size_t begin = 0; begin < members.size(); begin += half) {
    std::vector<Request> part;
    const std::size_t end = std::min(begin + half, members.size());
    for (std::size_t i = begin; i < end; ++i) add(*batch, members[i].item, &part);
    for (Request& each : part) {
      if (batch->is_over()) co_return;
      co_await make(batch, &each);
    }
  }
}

// All of its letters are due again at the same time, so that one request does for them.
void GroupSender::settle(LetterBatch& batch, const Request& request, const Delivery& delivery) {
  LetterOutcomes::tell(delivery);
  int attempts = 0;
  for (const Member& member : request.members) {
    attempts = std::max(attempts, member.item->letter.attempts);
  }
  const WallTime due_at = outcomes_.next_attempt(attempts, delivery.retry_after);
  for (const Member& member : request.members) {
    const auto& ids = delivery.provider_ids;
    outcomes_.settle(batch,
                     *member.item,
                     delivery,
                     member.place < ids.size() ? ids[member.place] : std::string(),
                     due_at);
  }
}

void GroupSender::retry(LetterBatch& batch, const Request& request, const std::string& why) {
  settle(batch, request, Delivery{Delivery::Outcome::kTemporary, why, {}});
}

}  // namespace edged::mail
