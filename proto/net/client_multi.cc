// SPDX-License-Identifier: Apache-2.0
// Calls for many keys, split into as many requests as they need.
#include <utility>

#include "proto/net/client_impl.h"
#include "proto/wire/limits.h"

namespace edged::net {

Client::Awaitable<Result<std::optional<KvEntry>>> Client::Impl::get_alone(
    Self self, std::string ns, std::string key, wire::Fields fields, Deadline deadline) {
  RequestFrames frames = get_frames(key, fields);
  Result<OwnedResponse> answered =
      co_await exchange_ok(self, std::move(ns), std::move(frames), CallKind::kRead, deadline);
  if (answered.code() == Code::kNotFound) {
    co_return std::optional<KvEntry>();
  }
  if (!answered) {
    co_return answered.error();
  }
  Result<wire::Response> response = answered->response();
  if (!response) {
    co_return response.error();
  }
  co_return std::optional<KvEntry>(to_entry(response->fields, response->value));
}

Client::Awaitable<Result<std::vector<std::optional<KvEntry>>>> Client::multi_get(
    std::string ns, std::vector<std::string> keys) {
  const wire::Fields no_fields;
  return Impl::get_all(impl_, std::move(ns), std::move(keys), no_fields);
}

Client::Awaitable<Result<std::vector<std::optional<KvEntry>>>> Client::Impl::get_all(
    Self self, std::string ns, std::vector<std::string> keys, wire::Fields fields) {
  const Deadline deadline = self->deadline();
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
    RequestFrames frames = multi_get_frames(keys, entries.size(), next, fields);
    Result<OwnedResponse> answered =
        co_await exchange_ok(self, ns, std::move(frames), CallKind::kRead, deadline);
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
      } else if (item.status == Code::kTooLarge) {
        break;  // it has to come alone, in fragments
      } else {
        co_return to_status(item.status, item.fields)
            .with_context("could not read key \"" + keys[entries.size()] + "\"");
      }
    }
    if (item.status == Code::kTooLarge && entries.size() < next) {
      Result<std::optional<KvEntry>> large =
          co_await get_alone(self, ns, keys[entries.size()], fields, deadline);
      if (!large) {
        co_return large.error().with_context("could not read key \"" + keys[entries.size()] + "\"");
      }
      entries.push_back(*std::move(large));
    }
    if (entries.size() == before) {
      co_return Status(Code::kInternal, "could not read keys: the node answered none of them");
    }
  }
  co_return entries;
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
    if (checked.ok() && items[i].value.size() > wire::kFrameValueBytesMax) {
      checked = Status(Code::kTooLarge,
                       "could not put \"" + items[i].key +
                           "\" with others: its value is above 1 MiB and must be put alone");
    }
    if (!checked.ok()) {
      refused[i] = true;
      results[i] = checked;
    }
  }
  std::vector<std::size_t> places;
  for (std::size_t first = 0, next = 0; first < items.size(); first = next) {
    RequestFrames frames = multi_put_frames(items, refused, first, next, places);
    if (places.empty()) {
      continue;
    }
    Result<OwnedResponse> answered =
        co_await Impl::exchange_ok(impl, ns, std::move(frames), CallKind::kWrite, deadline);
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
        results[place] = Status(Code::kInternal, "could not put: the node's answer lacks the item");
      } else if (item.status == Code::kOk) {
        results[place] = item.fields.version.value_or(0);
      } else {
        results[place] = to_status(item.status, item.fields);
      }
    }
  }
  co_return results;
}

}  // namespace edged::net
