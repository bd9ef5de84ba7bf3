// SPDX-License-Identifier: Apache-2.0
// The half of client_messages.h that reads responses.
#include <charconv>
#include <utility>

#include "proto/net/client_messages.h"

namespace edged::net {

namespace {

using wire::Opcode;

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && last == end ? std::optional(number) : std::nullopt;
}

}  // namespace

Status to_status(Code code, const wire::Fields& fields) {
  if (code == Code::kOk) {
    return {};
  }
  return {code, std::string(fields.message.value_or(code_name(code)))};
}

KvEntry to_entry(const wire::Fields& fields, std::string_view value) {
  KvEntry entry;
  entry.value = value;
  entry.metadata = fields.metadata.value_or("");
  entry.version = fields.version.value_or(0);
  if (fields.expires_at_ms) {
    entry.expires_at = from_unix_ms(static_cast<std::int64_t>(*fields.expires_at_ms));
  }
  entry.position = fields.source_position.value_or("");
  if (fields.fresh_as_of_ms) {
    entry.fresh_as_of = from_unix_ms(static_cast<std::int64_t>(*fields.fresh_as_of_ms));
  }
  return entry;
}

Result<KvListPage> to_page(const wire::Response& response) {
  KvListPage page;
  wire::ItemReader reader(response.value);
  wire::Item item;
  while (reader.next(item)) {
    page.items.push_back(KvListItem{std::string(item.key),
                                    to_entry(item.fields, item.value),
                                    item.fields.value_bytes.value_or(item.value.size())});
    if (item.fields.cached) {
      page.items.back().cached = *item.fields.cached != 0;
    }
  }
  if (!reader.status().ok()) {
    return reader.status();
  }
  page.cursor = response.fields.cursor.value_or("");
  const KvEntry about = to_entry(response.fields, {});
  page.fresh_as_of = about.fresh_as_of;
  page.position = about.position;
  return page;
}

KvNamespace to_namespace(const wire::Fields& fields) {
  KvNamespace ns;
  ns.id = fields.namespace_id.value_or("");
  ns.title = fields.title.value_or("");
  ns.created_at = from_unix_ms(static_cast<std::int64_t>(fields.created_at_ms.value_or(0)));
  return ns;
}

Result<std::int64_t> to_number(const wire::Response& response) {
  const std::optional<std::int64_t> number = parse_number(response.value);
  return number ? Result<std::int64_t>(*number)
                : Status(Code::kInternal,
                         "could not read the answer to an ADD: its value is not a number");
}

Result<BatchResult> to_batch_result(const wire::Response& response) {
  BatchResult result;
  result.written = response.status == Code::kOk;
  wire::ItemReader reader(response.value);
  wire::Item item;
  while (reader.next(item)) {
    BatchOutcome outcome;
    outcome.status = to_status(item.status, item.fields);
    outcome.version = item.fields.version.value_or(0);
    outcome.number = parse_number(item.value);
    result.items.push_back(std::move(outcome));
  }
  if (!reader.status().ok()) {
    return reader.status();
  }
  return result;
}

Result<std::vector<KvChange>> to_changes(const wire::Response& push) {
  std::vector<KvChange> changes;
  wire::ItemReader reader(push.value);
  wire::Item item;
  while (reader.next(item)) {
    KvChange change;
    change.kind = item.opcode == Opcode::kPut      ? KvChangeKind::kPut
                  : item.opcode == Opcode::kDelete ? KvChangeKind::kDelete
                                                   : KvChangeKind::kClear;
    change.key = item.key;
    change.version = item.fields.version.value_or(0);
    if (item.fields.expires_at_ms) {
      change.expires_at = from_unix_ms(static_cast<std::int64_t>(*item.fields.expires_at_ms));
    }
    changes.push_back(std::move(change));
  }
  if (!reader.status().ok()) {
    return reader.status();
  }
  return changes;
}

}  // namespace edged::net
