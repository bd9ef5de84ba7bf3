// SPDX-License-Identifier: Apache-2.0
// SUBSCRIBE, PSUBSCRIBE, PUBLISH and their like. Channels are judged as keys of database 0: who may
// put the key of this name publishes, who may watch it listens.
#include <boost/asio/post.hpp>

#include "kvstore/redis/session.h"
#include "kvstore/redis/text_numbers.h"

namespace edged::redis {
namespace {

constexpr std::size_t kSubscriptionsMax = 10'000;

}  // namespace

Status Session::judge_channel(std::string_view channel, bool pattern, bool publishes) {
  const std::string prefix = pattern ? glob_prefix(channel) : std::string(channel);
  return face_.operations.judge(caller_,
                                publishes ? operations::Kind::kPut : operations::Kind::kWatch,
                                reactor_.databases.numbers()[0],
                                prefix);
}

std::shared_ptr<Inbox> Session::make_inbox() {
  return std::make_shared<Inbox>(
      [weak = weak_from_this(), life = reactor_.life, &io = reactor_.io] {
        const std::shared_ptr<void> alive = life.lock();
        if (!alive) return;
        boost::asio::post(io, [weak] {
          const auto self = weak.lock();
          if (self && !self->closed_) self->take_messages();
        });
      });
}

void Session::answer_subscription(std::string_view what, const std::string* channel, Reply& reply) {
  reply.push(3);
  reply.bulk(what);
  if (channel == nullptr) {
    reply.null();
  } else {
    reply.bulk(*channel);
  }
  reply.integer(static_cast<std::int64_t>(channels_.size() + patterns_.size()));
}

void Session::handle_subscribe(Arguments args, Reply& reply) {
  const bool pattern = equals_ignoring_case(args[0], "psubscribe");
  std::set<std::string>& mine = pattern ? patterns_ : channels_;
  for (const std::string_view one : args.subspan(1)) {
    const Status allowed = judge_channel(one, pattern, false);
    if (!allowed.ok()) {
      reply.error(error_text(allowed));
      continue;
    }
    if (mine.size() >= kSubscriptionsMax) {
      reply.error("ERR a client listens to at most 10000 channels and as many patterns");
      continue;
    }
    const std::string channel(one);
    face_.pub_sub.subscribe(channel, pattern, inbox_);
    mine.insert(channel);
    answer_subscription(pattern ? "psubscribe" : "subscribe", &channel, reply);
  }
}

void Session::handle_unsubscribe(Arguments args, Reply& reply) {
  const bool pattern = equals_ignoring_case(args[0], "punsubscribe");
  const std::string_view what = pattern ? "punsubscribe" : "unsubscribe";
  std::set<std::string>& mine = pattern ? patterns_ : channels_;
  std::vector<std::string> ended(args.begin() + 1, args.end());
  if (ended.empty()) ended.assign(mine.begin(), mine.end());
  if (ended.empty()) return answer_subscription(what, nullptr, reply);
  for (const std::string& channel : ended) {
    if (mine.erase(channel) > 0) face_.pub_sub.unsubscribe(channel, pattern, inbox_);
    answer_subscription(what, &channel, reply);
  }
}

void Session::end_subscriptions() {
  for (const std::string& one : channels_) face_.pub_sub.unsubscribe(one, false, inbox_);
  for (const std::string& one : patterns_) face_.pub_sub.unsubscribe(one, true, inbox_);
  channels_.clear();
  patterns_.clear();
}

void Session::take_messages() {
  std::vector<Message> messages;
  if (!inbox_->take(messages)) ending_ = true;  // it does not read what it listens to
  Reply reply = tail_reply();
  for (const Message& message : messages) {
    if (message.kind != Message::Kind::kPublished) {
      push_invalidation(message, reply);
      continue;
    }
    // Messages that came before the end of the subscription was answered are dropped.
    const auto& mine = message.by_pattern ? patterns_ : channels_;
    if (!mine.contains(message.by_pattern ? message.pattern : message.channel)) continue;
    reply.push(message.by_pattern ? 4 : 3);
    reply.bulk(message.by_pattern ? "pmessage" : "message");
    if (message.by_pattern) reply.bulk(message.pattern);
    reply.bulk(message.channel);
    reply.bulk(message.payload);
  }
  if (replies_.bytes() > Inbox::kBytesMax) ending_ = true;
  progress();
}

void Session::review() {
  if (!caller_.moved()) return;
  for (const bool pattern : {false, true}) {
    for (const std::string& one : pattern ? patterns_ : channels_) {
      if (!judge_channel(one, pattern, false).ok()) ending_ = true;
    }
  }
  if (!tracking_) return;
  if (!knows_peer()) ending_ = true;
  for (const std::string& prefix : tracking_->prefixes) {
    const Status allowed = face_.operations.judge(caller_, operations::Kind::kWatch, ns(), prefix);
    if (!allowed.ok()) ending_ = true;
  }
}

void Session::handle_publish(Arguments args, Reply& reply) {
  const Status allowed = judge_channel(args[1], false, true);
  if (!allowed.ok()) return reply.error(error_text(allowed));
  reply.integer(static_cast<std::int64_t>(face_.pub_sub.publish(args[1], args[2])));
}

void Session::handle_pubsub(Arguments args, Reply& reply) {
  if (equals_ignoring_case(args[1], "channels") && args.size() <= 3) {
    std::vector<std::string> found;
    for (std::string& name : face_.pub_sub.channels()) {
      if (args.size() == 2 || matches_glob(args[2], name)) found.push_back(std::move(name));
    }
    reply.array(found.size());
    for (const std::string& name : found) reply.bulk(name);
    return;
  }
  if (equals_ignoring_case(args[1], "numsub")) {
    reply.map(args.size() - 2);
    for (const std::string_view one : args.subspan(2)) {
      reply.bulk(one);
      reply.integer(static_cast<std::int64_t>(face_.pub_sub.listeners(std::string(one))));
    }
    return;
  }
  if (equals_ignoring_case(args[1], "numpat") && args.size() == 2) {
    return reply.integer(static_cast<std::int64_t>(face_.pub_sub.patterns()));
  }
  reply.error(kSyntaxError);
}

}  // namespace edged::redis
