// SPDX-License-Identifier: Apache-2.0
// See client.h. Impl::exchange is the one way to the wire: it finds a connection and the
// namespace's handle, sends, and applies the rules about repeating and unknown outcomes.
#include "proto/net/client.h"

#include <boost/asio.hpp>
#include <utility>

#include "proto/net/client_messages.h"
#include "proto/net/link_pool.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"

namespace edged::net {
namespace {

namespace asio = boost::asio;

enum class Kind { kRead, kWrite };

Status unknown_outcome(const Status& why) {
  return {Code::kUnknownOutcome, why.message() + "; the write may or may not have happened"};
}

}  // namespace

class Client::Impl {
 public:
  Impl(asio::any_io_executor executor, ClientOptions options)
      : options_(std::move(options)),
        links_(std::make_shared<LinkPool>(executor, options_.address, options_.connect_timeout)) {}

  Deadline deadline() const { return std::chrono::steady_clock::now() + options_.call_timeout; }
  void close() { links_->close(); }

  // Sends `frame` for namespace `ns` (empty: none) and returns the response, whatever its status.
  // Coroutines keep `self` alive, not this object's owner.
  static Awaitable<Result<OwnedResponse>> exchange(
      std::shared_ptr<Impl> self, std::string ns, std::string frame, Kind kind, Deadline deadline) {
    Status broken;
    for (int attempt = 0; attempt < 2; ++attempt) {
      Result<std::shared_ptr<Link>> link = co_await self->links_->get(deadline);
      if (!link) {
        co_return attempt == 0 ? link.error() : broken;
      }
      Result<std::uint32_t> handle = co_await open(*link, ns, deadline);
      if (!handle) {
        broken = handle.error();
        if (!(*link)->alive() && std::chrono::steady_clock::now() < deadline) {
          continue;  // nothing but the OPEN was sent
        }
        co_return handle.error();
      }
      wire::patch_u32(frame, kNamespaceAt, *handle);
      Result<OwnedResponse> response = co_await (*link)->call(frame, deadline);
      if (response) {
        if (response->status() == Code::kNamespaceNotFound) {
          (*link)->handles().erase(ns);
        }
        co_return response;
      }
      if (kind == Kind::kWrite && response.code() != Code::kBusy) {
        co_return unknown_outcome(response.error());
      }
      broken = response.error();
      if (broken.code() != Code::kUnavailable) {
        break;
      }
    }
    co_return broken;
  }

  // As exchange, but a response that is not ok becomes its Status.
  static Awaitable<Result<OwnedResponse>> exchange_ok(
      std::shared_ptr<Impl> self, std::string ns, std::string frame, Kind kind, Deadline deadline) {
    Result<OwnedResponse> answered =
        co_await exchange(self, std::move(ns), std::move(frame), kind, deadline);
    if (!answered || answered->status() == Code::kOk) {
      co_return answered;
    }
    Result<wire::Response> response = answered->response();
    co_return response ? to_status(response->status, response->fields)
                       : Status(answered->status(), "the node's message is unreadable");
  }

 private:
  static Awaitable<Result<std::uint32_t>> open(std::shared_ptr<Link> link,
                                               std::string ns,
                                               Deadline deadline) {
    if (ns.empty()) {
      co_return std::uint32_t{0};
    }
    const auto known = link->handles().find(ns);
    if (known != link->handles().end()) {
      co_return known->second;
    }
    Status name = check_name("namespace name", ns);
    if (!name.ok()) {
      co_return name;
    }
    Result<OwnedResponse> answered =
        co_await link->call(simple_frame(wire::Opcode::kOpen, {}, ns), deadline);
    if (!answered) {
      co_return answered.error();
    }
    Result<wire::Response> response = answered->response();
    if (!response) {
      co_return response.error();
    }
    if (response->status != Code::kOk) {
      co_return to_status(response->status, response->fields);
    }
    const std::uint32_t handle = response->fields.ns.value_or(0);
    link->handles()[ns] = handle;
    co_return handle;
  }

  const ClientOptions options_;
  std::shared_ptr<LinkPool> links_;
};

Client::Client(asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

Client::~Client() {
  impl_->close();
}

Client::Awaitable<Status> Client::ping() {
  Result<OwnedResponse> answered = co_await Impl::exchange_ok(
      impl_, "", simple_frame(wire::Opcode::kPing), Kind::kRead, impl_->deadline());
  co_return answered ? Status() : answered.error();
}

Client::Awaitable<Result<KvEntry>> Client::get(std::string ns, std::string key) {
  Status checked = check_name("key", key);
  if (!checked.ok()) {
    co_return checked;
  }
  Result<OwnedResponse> answered = co_await Impl::exchange_ok(
      impl_, std::move(ns), get_frame(key), Kind::kRead, impl_->deadline());
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  co_return to_entry(response->fields, response->value);
}

Client::Awaitable<Result<std::vector<std::optional<KvEntry>>>> Client::multi_get(
    std::string ns, std::vector<std::string> keys) {
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline deadline = impl->deadline();
  for (const std::string& key : keys) {
    Status checked = check_name("key", key);
    if (!checked.ok()) {
      co_return checked;
    }
  }
  std::vector<std::optional<KvEntry>> entries;
  entries.reserve(keys.size());
  while (entries.size() < keys.size()) {
    std::size_t next = 0;
    std::string frame = multi_get_frame(keys, entries.size(), next);
    Result<OwnedResponse> answered =
        co_await Impl::exchange_ok(impl, ns, std::move(frame), Kind::kRead, deadline);
    if (!answered) {
      co_return answered.error();
    }
    Result<wire::Response> response = answered->response();
    if (!response) {
      co_return response.error();
    }
    // The server answers as many as fit a frame; the loop asks for the rest.
    const std::size_t before = entries.size();
    wire::ItemReader reader(response->value);
    wire::Item item;
    while (entries.size() < next && reader.next(item)) {
      if (item.status == Code::kOk) {
        entries.emplace_back(to_entry(item.fields, item.value));
      } else if (item.status == Code::kNotFound) {
        entries.emplace_back(std::nullopt);
      } else {
        co_return to_status(item.status, item.fields)
            .with_context("could not read key \"" + keys[entries.size()] + "\"");
      }
    }
    if (entries.size() == before) {
      co_return Status(Code::kInternal, "could not read keys: the node answered none of them");
    }
  }
  co_return entries;
}

Client::Awaitable<Result<std::uint64_t>> Client::put(std::string ns, PutItem item) {
  Status checked = check_put(item);
  if (!checked.ok()) {
    co_return checked;
  }
  Result<OwnedResponse> answered = co_await Impl::exchange_ok(
      impl_, std::move(ns), put_frame(item), Kind::kWrite, impl_->deadline());
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  co_return response->fields.version.value_or(0);
}

Client::Awaitable<Result<std::vector<Result<std::uint64_t>>>> Client::multi_put(
    std::string ns, std::vector<PutItem> items) {
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline deadline = impl->deadline();
  const Status not_sent(Code::kUnavailable, "could not put: an earlier part of the call failed");
  std::vector<Result<std::uint64_t>> results(items.size(), not_sent);
  std::vector<bool> refused(items.size(), false);
  for (std::size_t i = 0; i < items.size(); ++i) {
    Status checked = check_put(items[i]);
    if (!checked.ok()) {
      refused[i] = true;
      results[i] = checked;
    }
  }
  std::vector<std::size_t> places;
  for (std::size_t first = 0, next = 0; first < items.size(); first = next) {
    std::string frame = multi_put_frame(items, refused, first, next, places);
    if (places.empty()) {
      continue;
    }
    Result<OwnedResponse> answered =
        co_await Impl::exchange_ok(impl, ns, std::move(frame), Kind::kWrite, deadline);
    if (!answered && places.front() == 0) {
      co_return answered.error();
    }
    Status failed = answered ? Status() : answered.error();
    Result<wire::Response> response =
        answered ? answered->response() : Result<wire::Response>(failed);
    if (!response) {
      for (const std::size_t place : places) {
        results[place] = response.error();
      }
      break;
    }
    wire::ItemReader reader(response->value);
    wire::Item item;
    for (const std::size_t place : places) {
      if (!reader.next(item)) {
        results[place] = Status(Code::kInternal, "could not put: the node left the item out");
      } else if (item.status == Code::kOk) {
        results[place] = item.fields.version.value_or(0);
      } else {
        results[place] = to_status(item.status, item.fields);
      }
    }
  }
  co_return results;
}

Client::Awaitable<Status> Client::remove(std::string ns,
                                         std::string key,
                                         std::optional<std::uint64_t> if_version) {
  Status checked = check_name("key", key);
  if (!checked.ok()) {
    co_return checked;
  }
  Result<OwnedResponse> answered = co_await Impl::exchange_ok(
      impl_, std::move(ns), remove_frame(key, if_version), Kind::kWrite, impl_->deadline());
  co_return answered ? Status() : answered.error();
}

Client::Awaitable<Result<KvListPage>> Client::list(std::string ns, KvListRequest request) {
  Result<std::string> frame = list_frame(request);
  if (!frame) {
    co_return frame.error();
  }
  Result<OwnedResponse> answered = co_await Impl::exchange_ok(
      impl_, std::move(ns), *std::move(frame), Kind::kRead, impl_->deadline());
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  co_return to_page(*response);
}

Client::Awaitable<Result<KvNamespace>> Client::create_namespace(std::string title, std::string id) {
  Status checked = check_name("namespace title", title);
  if (checked.ok() && !id.empty()) {
    checked = check_name("namespace id", id);
  }
  if (!checked.ok()) {
    co_return checked;
  }
  wire::Fields fields;
  fields.title = title;
  if (!id.empty()) {
    fields.namespace_id = id;
  }
  Result<OwnedResponse> answered =
      co_await Impl::exchange_ok(impl_,
                                 "",
                                 simple_frame(wire::Opcode::kNamespaceCreate, fields),
                                 Kind::kWrite,
                                 impl_->deadline());
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  co_return to_namespace(response->fields);
}

Client::Awaitable<Result<std::vector<KvNamespace>>> Client::list_namespaces() {
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline deadline = impl->deadline();
  std::vector<KvNamespace> namespaces;
  std::string cursor;
  do {
    wire::Fields fields;
    if (!cursor.empty()) {
      fields.cursor = cursor;
    }
    Result<OwnedResponse> answered = co_await Impl::exchange_ok(
        impl, "", simple_frame(wire::Opcode::kNamespaceList, fields), Kind::kRead, deadline);
    if (!answered) {
      co_return answered.error();
    }
    Result<wire::Response> response = answered->response();
    if (!response) {
      co_return response.error();
    }
    wire::ItemReader reader(response->value);
    wire::Item item;
    while (reader.next(item)) {
      namespaces.push_back(to_namespace(item.fields));
    }
    if (!reader.status().ok()) {
      co_return reader.status();
    }
    cursor = response->fields.cursor.value_or("");
  } while (!cursor.empty());
  co_return namespaces;
}

Client::Awaitable<Result<std::string>> Client::stats() {
  Result<OwnedResponse> answered = co_await Impl::exchange_ok(
      impl_, "", simple_frame(wire::Opcode::kStats), Kind::kRead, impl_->deadline());
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  co_return std::string(response->value);
}

}  // namespace edged::net
