// SPDX-License-Identifier: Apache-2.0
// Sends letters through an idempotent transport: those that were never sent go together in one
// request, which is stored before it is made (mail_groups.h); those of a stored request are sent by
// that same request again, whoever made it. A request that is refused for good is dissolved, and
// its letters sent in two halves, and so on: what is refused alone is dead. Executor's thread; what
// the constructor is given outlives the object, and the object its coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/mail/letter_outcomes.h"
#include "worker/mail/mail_groups.h"
#include "worker/mail/places.h"
#include "worker/mail/transport.h"

namespace edged::mail {

class GroupSender {
 public:
  using Render = std::function<Result<Message>(const Letter&)>;

  GroupSender(boost::asio::any_io_executor executor,
              db::PgPool& pool,
              const Clock& clock,
              Transport& transport,
              Places& places,
              LetterOutcomes& outcomes,
              Render render)
      : executor_(std::move(executor)),
        groups_(pool, clock),
        transport_(transport),
        places_(places),
        outcomes_(outcomes),
        render_(std::move(render)) {}

  // Sends `items` of `batch`, and decides each when its request has ended. If the batch is over,
  // requests that were not begun leave theirs undecided. The requests count in batch->pending.
  static boost::asio::awaitable<void> send(std::shared_ptr<GroupSender> self,
                                           std::shared_ptr<LetterBatch> batch,
                                           std::vector<const LetterItem*> items);

 private:
  struct Member {
    const LetterItem* item;
    std::size_t place;  // in the request
  };
  struct Request {
    MailGroup group;                // without an id: not stored yet
    std::vector<Message> messages;  // of a new one, until it is frozen
    std::vector<Member> members;    // those of its letters that this batch holds
    std::size_t bytes = 0;
  };

  std::vector<Request> make_requests(LetterBatch& batch,
                                     const std::vector<const LetterItem*>& items,
                                     std::vector<MailGroup> stored);
  void add(LetterBatch& batch, const LetterItem* item, std::vector<Request>* requests);
  static boost::asio::awaitable<void> perform(std::shared_ptr<GroupSender> self,
                                              std::shared_ptr<LetterBatch> batch,
                                              Request request);
  boost::asio::awaitable<bool> store(LetterBatch* batch, Request* request);
  boost::asio::awaitable<void> make(LetterBatch* batch, Request* request);
  boost::asio::awaitable<void> send_halves(LetterBatch* batch, const Request* request);
  void settle(LetterBatch& batch, const Request& request, const Delivery& delivery);
  void retry(LetterBatch& batch, const Request& request, const std::string& why);

  boost::asio::any_io_executor executor_;
  MailGroups groups_;
  Transport& transport_;
  Places& places_;
  LetterOutcomes& outcomes_;
  const Render render_;
};

}  // namespace edged::mail
