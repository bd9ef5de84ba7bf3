// SPDX-License-Identifier: Apache-2.0
// Calls about the node and its namespaces.
#include <utility>

#include "proto/net/client_impl.h"

namespace edged::net {
namespace {

using wire::Opcode;

Result<std::string> value_of(const wire::Response& response) {
  return std::string(response.value);
}

// One that does not fit a frame is emptied.
Status check_object(std::string& text) {
  if (text.size() <= wire::kBodyBytesFloor) {
    return {};
  }
  text.clear();
  return {Code::kTooLarge, "could not send request about a token: it is above 64 KiB"};
}

}  // namespace

Client::Awaitable<Status> Client::ping() {
  return Impl::tell(impl_, "", Status(), simple_frames(Opcode::kPing), CallKind::kRead);
}

Client::Awaitable<Result<std::string>> Client::stats() {
  return Impl::ask<std::string>(
      impl_, "", Status(), simple_frames(Opcode::kStats), CallKind::kRead, value_of);
}

Client::Awaitable<Status> Client::confirm_clock() {
  return Impl::tell(impl_, "", Status(), simple_frames(Opcode::kClockConfirm), CallKind::kWrite);
}

Client::Awaitable<Result<KvNamespace>> Client::create_namespace(std::string title, std::string id) {
  Status checked = check_name("namespace title", title);
  if (checked.ok() && !id.empty()) {
    checked = check_name("namespace id", id);
  }
  if (!checked.ok()) {
    title.clear();  // a frame holds no more
    id.clear();
  }
  wire::Fields fields;
  fields.title = title;
  if (!id.empty()) {
    fields.namespace_id = id;
  }
  return Impl::ask<KvNamespace>(impl_,
                                "",
                                checked,
                                simple_frames(Opcode::kNamespaceCreate, fields),
                                CallKind::kWrite,
                                [](const wire::Response& response) -> Result<KvNamespace> {
                                  return to_namespace(response.fields);
                                });
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
    RequestFrames frames = simple_frames(Opcode::kNamespaceList, fields);
    Result<OwnedResponse> answered =
        co_await Impl::exchange_ok(impl, "", std::move(frames), CallKind::kRead, deadline);
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

Client::Awaitable<Result<std::string>> Client::create_token(std::string request) {
  const Status checked = check_object(request);
  return Impl::ask<std::string>(impl_,
                                "",
                                checked,
                                simple_frames(Opcode::kTokenCreate, {}, {}, request),
                                CallKind::kWrite,
                                value_of);
}

Client::Awaitable<Result<std::string>> Client::revoke_token(std::string request) {
  const Status checked = check_object(request);
  return Impl::ask<std::string>(impl_,
                                "",
                                checked,
                                simple_frames(Opcode::kTokenRevoke, {}, {}, request),
                                CallKind::kWrite,
                                value_of);
}

Client::Awaitable<Result<std::vector<std::string>>> Client::list_tokens() {
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline deadline = impl->deadline();
  std::vector<std::string> pages;
  std::string cursor;
  do {
    wire::Fields fields;
    if (!cursor.empty()) {
      fields.cursor = cursor;
    }
    RequestFrames frames = simple_frames(Opcode::kTokenList, fields);
    Result<OwnedResponse> answered =
        co_await Impl::exchange_ok(impl, "", std::move(frames), CallKind::kRead, deadline);
    if (!answered) {
      co_return answered.error();
    }
    Result<wire::Response> response = answered->response();
    if (!response) {
      co_return response.error();
    }
    pages.emplace_back(response->value);
    cursor = response->fields.cursor.value_or("");
  } while (!cursor.empty());
  co_return pages;
}

Client::Awaitable<Status> Client::rename_namespace(std::string ns, std::string title) {
  Status checked = check_name("namespace title", title);
  wire::Fields fields;
  if (checked.ok()) {
    fields.title = title;
  }
  return Impl::tell(impl_,
                    std::move(ns),
                    checked,
                    simple_frames(Opcode::kNamespaceRename, fields),
                    CallKind::kWrite);
}

Client::Awaitable<Status> Client::clear_namespace(std::string ns) {
  return Impl::tell(
      impl_, std::move(ns), Status(), simple_frames(Opcode::kNamespaceClear), CallKind::kWrite);
}

Client::Awaitable<Status> Client::delete_namespace(std::string ns) {
  return Impl::tell(
      impl_, std::move(ns), Status(), simple_frames(Opcode::kNamespaceDelete), CallKind::kWrite);
}

Client::Awaitable<Result<std::string>> Client::namespace_usage(std::string ns) {
  return Impl::ask<std::string>(impl_,
                                std::move(ns),
                                Status(),
                                simple_frames(Opcode::kNamespaceUsage),
                                CallKind::kRead,
                                value_of);
}

}  // namespace edged::net
