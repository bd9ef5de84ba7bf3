// SPDX-License-Identifier: Apache-2.0
#include "worker/status/status_publisher.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "proto/base/log.h"

namespace edged::worker {

using boost::asio::awaitable;

StatusPublisher::StatusPublisher(boost::asio::any_io_executor executor,
                                 net::Client& client,
                                 StatusOptions options,
                                 Collect collect)
    : client_(client),
      options_(std::move(options)),
      collect_(std::move(collect)),
      timer_(std::move(executor)) {}

awaitable<void> StatusPublisher::run() {
  while (!stopped_) {
    woken_ = false;
    Status published = co_await publish();
    if (published.code() == Code::kNamespaceNotFound) {
      published = co_await create_namespace();
      if (published.ok()) published = co_await publish();
    }
    if (stopped_) break;
    note(published);
    if (woken_) continue;
    timer_.expires_after(options_.interval);
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }
}

void StatusPublisher::wake() {
  woken_ = true;
  timer_.cancel();
}

void StatusPublisher::stop() {
  stopped_ = true;
  timer_.cancel();
}

awaitable<Status> StatusPublisher::publish() {
  StatusDocuments documents = co_await collect_();
  std::vector<net::PutItem> items;
  for (auto& [key, value] : documents) {
    net::PutItem item;
    item.key = std::move(key);
    item.value = std::move(value);
    item.ttl = options_.ttl;
    items.push_back(std::move(item));
  }
  const auto results = co_await client_.multi_put(options_.ns_id, std::move(items));
  if (!results) co_return results.error();
  for (const Result<std::uint64_t>& result : *results) {
    if (!result) co_return result.error();
  }
  co_return Status();
}

// Another worker may be faster.
awaitable<Status> StatusPublisher::create_namespace() {
  const auto created = co_await client_.create_namespace(options_.ns_title, options_.ns_id);
  if (created) co_return Status();
  if (created.code() == Code::kExists) {
    const auto namespaces = co_await client_.list_namespaces();
    if (!namespaces) co_return namespaces.error();
    for (const net::KvNamespace& one : *namespaces) {
      if (one.id == options_.ns_id) co_return Status();
    }
    co_return Status(Code::kExists,
                     "the node has a namespace \"" + options_.ns_title + "\" whose id is not " +
                         options_.ns_id + ": rename it");
  }
  co_return created.error().with_context("could not create the namespace \"" + options_.ns_title +
                                         "\"");
}

void StatusPublisher::note(const Status& status) {
  if (status.ok()) {
    if (failures_ >= 2) log::info("[status] this worker's status is published in the node again");
    failures_ = 0;
  } else if (++failures_ == 2) {
    log::info("[status] could not publish this worker's status in the node: " + status.message());
  }
}

}  // namespace edged::worker
