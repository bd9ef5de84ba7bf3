// SPDX-License-Identifier: Apache-2.0
// Watching: pushes of one connection, collected until they are asked for.
#include <boost/asio.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <utility>

#include "proto/net/client_impl.h"
#include "proto/wire/codec.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;

// What the subscription and the watch share: the subscription may outlive the watch for a moment.
struct Inbox {
  explicit Inbox(const asio::any_io_executor& executor) : arrived(executor) {}

  void take(const Result<OwnedResponse>& push) {
    const Result<wire::Response> response =
        push ? push->response() : Result<wire::Response>(push.error());
    if (!response || response->status != Code::kOk) {
      ended = response ? to_status(response->status, response->fields) : response.error();
    } else if (Result<std::vector<KvChange>> got = to_changes(*response)) {
      changes.insert(changes.end(),
                     std::make_move_iterator(got->begin()),
                     std::make_move_iterator(got->end()));
      seen = response->fields.version.value_or(seen);
    } else {
      ended = got.error();
    }
    arrived.notify_all();
  }

  AsyncCondition arrived;  // notified when something arrives
  std::vector<KvChange> changes;
  std::uint64_t seen = 0;
  Status ended;
};

class LinkWatch final : public KvWatch {
 public:
  LinkWatch(std::shared_ptr<Link> link, std::uint32_t id, std::shared_ptr<Inbox> inbox)
      : link_(std::move(link)), id_(id), inbox_(std::move(inbox)), answered_(inbox_->seen) {}

  ~LinkWatch() override {
    link_->unsubscribe(id_);
    std::string id;
    wire::append_u32(id, id_);
    wire::Request cancel;
    cancel.opcode = wire::Opcode::kCancel;
    cancel.value = id;
    link_->send_unanswered(cancel);
  }

  boost::asio::awaitable<Result<std::vector<KvChange>>> next(
      std::chrono::milliseconds timeout) override {
    const std::shared_ptr<Inbox> inbox = inbox_;
    const Inbox* const kept = inbox.get();
    const auto until = std::chrono::steady_clock::now() + timeout;
    (void)co_await inbox->arrived.wait_until(
        until, [kept] { return !kept->changes.empty() || !kept->ended.ok(); });
    if (inbox->changes.empty() && !inbox->ended.ok()) {
      co_return inbox->ended;
    }
    std::vector<KvChange> changes = std::exchange(inbox->changes, {});
    answered_ = inbox->seen;
    co_return changes;
  }

  std::uint64_t seen() const override { return answered_; }

 private:
  const std::shared_ptr<Link> link_;
  const std::uint32_t id_;
  const std::shared_ptr<Inbox> inbox_;
  std::uint64_t answered_;
};

}  // namespace

Client::Awaitable<Result<std::shared_ptr<KvWatch>>> Client::watch(
    std::string ns, std::string prefix, std::optional<std::uint64_t> after) {
  if (prefix.size() > wire::kKeyBytesMax) {
    co_return Status(Code::kInvalidArgument, "could not watch: prefix is longer than 512 bytes");
  }
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline deadline = impl->deadline();
  Result<Impl::OpenLink> opened = co_await Impl::open_link(impl, std::move(ns), deadline);
  if (!opened) {
    co_return opened.error();
  }
  wire::Fields fields;
  fields.version = after;
  RequestFrames frames = simple_frames(wire::Opcode::kWatch, fields, prefix);
  frames.set_namespace(opened->ns);
  auto inbox = std::make_shared<Inbox>(impl->executor());
  const std::shared_ptr<Link> link = opened->link;
  const std::uint32_t id =
      link->subscribe([inbox](const Result<OwnedResponse>& push) { inbox->take(push); });
  Result<OwnedResponse> answered = co_await link->call_as(id, frames, deadline);
  Result<wire::Response> response =
      answered ? answered->response() : Result<wire::Response>(answered.error());
  if (!response || response->status != Code::kOk) {
    link->unsubscribe(id);
    co_return response ? to_status(response->status, response->fields) : response.error();
  }
  if (inbox->seen == 0) {
    inbox->seen = response->fields.version.value_or(0);
  }
  co_return std::shared_ptr<KvWatch>(std::make_shared<LinkWatch>(link, id, inbox));
}

}  // namespace edged::net
