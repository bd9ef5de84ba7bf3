// SPDX-License-Identifier: Apache-2.0
// See blocking_client.h.
#include "proto/net/blocking_client.h"

#include <boost/asio.hpp>
#include <exception>
#include <utility>

namespace edged::net {
namespace asio = boost::asio;

class BlockingClient::Impl {
 public:
  explicit Impl(ClientOptions options)
      : client(std::in_place, io.get_executor(), std::move(options)) {}
  ~Impl() { close(); }

  void close() {
    client.reset();
    io.restart();
    io.poll();  // lets what was cancelled end
  }

  template <typename T>
  T wait(asio::awaitable<T> call) {
    std::optional<T> result;
    bool done = false;
    asio::co_spawn(io, store(std::move(call), result), [&done](std::exception_ptr) {
      done = true;  // nothing of this call is used after it
    });
    io.restart();
    while (!done) {
      io.run_one();
    }
    if (!result) {
      // The coroutine ended with an exception.
      return Status(Code::kInternal,
                    "could not call the node: an unexpected exception ended the call");
    }
    return *std::move(result);
  }

  // `result` outlives the coroutine: wait() does not return before it is set.
  template <typename T>
  static asio::awaitable<void> store(asio::awaitable<T> call, std::optional<T>& result) {
    T value = co_await std::move(call);
    result.emplace(std::move(value));
  }

  asio::io_context io{1};
  std::optional<Client> client;
};

BlockingClient::BlockingClient(ClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(options))) {}

BlockingClient::~BlockingClient() {
  impl_->close();
}

Status BlockingClient::ping() {
  return impl_->wait(impl_->client->ping());
}

Result<KvEntry> BlockingClient::get(std::string ns, std::string key) {
  return impl_->wait(impl_->client->get(std::move(ns), std::move(key)));
}

Result<std::vector<std::optional<KvEntry>>> BlockingClient::multi_get(
    std::string ns, std::vector<std::string> keys) {
  return impl_->wait(impl_->client->multi_get(std::move(ns), std::move(keys)));
}

Result<KvEntry> BlockingClient::get(std::string ns, std::string key, ReadBounds bounds) {
  return impl_->wait(impl_->client->get(std::move(ns), std::move(key), std::move(bounds)));
}

Result<std::vector<std::optional<KvEntry>>> BlockingClient::multi_get(std::string ns,
                                                                      std::vector<std::string> keys,
                                                                      ReadBounds bounds) {
  return impl_->wait(impl_->client->multi_get(std::move(ns), std::move(keys), std::move(bounds)));
}

Result<std::uint64_t> BlockingClient::put(std::string ns, PutItem item) {
  return impl_->wait(impl_->client->put(std::move(ns), std::move(item)));
}

Result<std::vector<Result<std::uint64_t>>> BlockingClient::multi_put(std::string ns,
                                                                     std::vector<PutItem> items) {
  return impl_->wait(impl_->client->multi_put(std::move(ns), std::move(items)));
}

Status BlockingClient::remove(std::string ns,
                              std::string key,
                              std::optional<std::uint64_t> if_version) {
  return impl_->wait(impl_->client->remove(std::move(ns), std::move(key), if_version));
}

Result<KvListPage> BlockingClient::list(std::string ns, KvListRequest request) {
  return impl_->wait(impl_->client->list(std::move(ns), std::move(request)));
}

Result<BatchResult> BlockingClient::mirror_batch(std::string ns,
                                                 std::vector<BatchItem> items,
                                                 MirrorMark mark) {
  return impl_->wait(impl_->client->mirror_batch(std::move(ns), std::move(items), std::move(mark)));
}

Result<std::vector<std::optional<KvEntry>>> BlockingClient::mirror_get(
    std::string ns, std::vector<std::string> keys) {
  return impl_->wait(impl_->client->mirror_get(std::move(ns), std::move(keys)));
}

Result<KvListPage> BlockingClient::mirror_list(std::string ns, KvListRequest request) {
  return impl_->wait(impl_->client->mirror_list(std::move(ns), std::move(request)));
}

Result<KvNamespace> BlockingClient::create_namespace(std::string title, std::string id) {
  return impl_->wait(impl_->client->create_namespace(std::move(title), std::move(id)));
}

Result<std::vector<KvNamespace>> BlockingClient::list_namespaces() {
  return impl_->wait(impl_->client->list_namespaces());
}

Result<std::string> BlockingClient::stats() {
  return impl_->wait(impl_->client->stats());
}

Status BlockingClient::invalidate(std::string ns, std::string key) {
  return impl_->wait(impl_->client->invalidate(std::move(ns), std::move(key)));
}

Result<KvLeased> BlockingClient::get_or_lease(std::string ns,
                                              std::string key,
                                              std::chrono::milliseconds duration) {
  return impl_->wait(impl_->client->get_or_lease(std::move(ns), std::move(key), duration));
}

Result<std::uint64_t> BlockingClient::touch(std::string ns, TouchItem item) {
  return impl_->wait(impl_->client->touch(std::move(ns), std::move(item)));
}

Result<KvEntry> BlockingClient::get_and_touch(std::string ns, TouchItem item) {
  return impl_->wait(impl_->client->get_and_touch(std::move(ns), std::move(item)));
}

Result<std::int64_t> BlockingClient::add(std::string ns, AddItem item) {
  return impl_->wait(impl_->client->add(std::move(ns), std::move(item)));
}

Result<BatchResult> BlockingClient::batch(std::string ns, std::vector<BatchItem> items) {
  return impl_->wait(impl_->client->batch(std::move(ns), std::move(items)));
}

Result<std::shared_ptr<KvWatch>> BlockingClient::watch(std::string ns,
                                                       std::string prefix,
                                                       std::optional<std::uint64_t> after) {
  struct Holder {
    std::shared_ptr<Impl> impl;
    std::shared_ptr<KvWatch> watch;  // goes first
  };
  auto watch = impl_->wait(impl_->client->watch(std::move(ns), std::move(prefix), after));
  if (!watch) {
    return watch;
  }
  auto holder = std::make_shared<Holder>(Holder{impl_, *std::move(watch)});
  KvWatch* const held = holder->watch.get();
  return std::shared_ptr<KvWatch>(std::move(holder), held);
}

Result<std::vector<KvChange>> BlockingClient::next(KvWatch& watch,
                                                   std::chrono::milliseconds timeout) {
  return impl_->wait(watch.next(timeout));
}

Status BlockingClient::rename_namespace(std::string ns, std::string title) {
  return impl_->wait(impl_->client->rename_namespace(std::move(ns), std::move(title)));
}

Status BlockingClient::clear_namespace(std::string ns) {
  return impl_->wait(impl_->client->clear_namespace(std::move(ns)));
}

Status BlockingClient::delete_namespace(std::string ns) {
  return impl_->wait(impl_->client->delete_namespace(std::move(ns)));
}

Result<std::string> BlockingClient::namespace_usage(std::string ns) {
  return impl_->wait(impl_->client->namespace_usage(std::move(ns)));
}

Result<std::string> BlockingClient::create_token(std::string request) {
  return impl_->wait(impl_->client->create_token(std::move(request)));
}

Result<std::vector<std::string>> BlockingClient::list_tokens() {
  return impl_->wait(impl_->client->list_tokens());
}

Result<std::string> BlockingClient::revoke_token(std::string request) {
  return impl_->wait(impl_->client->revoke_token(std::move(request)));
}

Status BlockingClient::confirm_clock() {
  return impl_->wait(impl_->client->confirm_clock());
}

}  // namespace edged::net
