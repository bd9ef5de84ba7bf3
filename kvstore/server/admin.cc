// SPDX-License-Identifier: Apache-2.0
// See admin.h.
#include "kvstore/server/admin.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "proto/base/hex.h"
#include "proto/base/utf8.h"
#include "proto/wire/limits.h"

namespace edged::server {
namespace {

// More than STATS takes without its mirrors.
constexpr std::size_t kFiguresBytes = 8 * 1024;

wire::Fields namespace_fields(const storage::Namespace& ns) {
  wire::Fields fields;
  fields.ns = ns.number;
  fields.namespace_id = ns.id;
  fields.title = ns.title;
  fields.created_at_ms = static_cast<std::uint64_t>(to_unix_ms(ns.created_at));
  return fields;
}

// Quoted. What is not ASCII stays, so that UTF-8 does.
std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      quoted += "\\u00" + to_hex({&c, 1});
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// The engine's name is ours and plain; anything else is replaced rather than escaped.
std::string json_text(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~' || c == '"' || c == '\\') {
      c = '?';
    }
  }
  return '"' + text + '"';
}

class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string rendered) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_ += name;
    text_ += "\":";
    text_ += rendered;
    return *this;
  }
  std::string finish() { return text_ + "}"; }

 private:
  std::string text_;
};

std::string rules_json(const std::vector<storage::MirrorRule>& rules) {
  std::string text;
  for (const storage::MirrorRule& rule : rules) {
    JsonObject object;
    if (is_utf8(rule.prefix)) {
      object.add("prefix", json_string(rule.prefix));
    } else {
      object.add("prefix_hex", json_string(to_hex(rule.prefix)));
    }
    object.add("ttl_ms", std::to_string(rule.ttl.count()))
        .add("loaded", rule.loaded ? "true" : "false");
    text += (text.empty() ? "" : ",") + object.finish();
  }
  return "[" + text + "]";
}

// As many as fit `room` bytes.
std::string mirrors_json(const storage::Store& store, std::size_t room) {
  std::map<storage::NamespaceNumber, storage::Namespace> namespaces;
  for (storage::Namespace& ns : store.list_namespaces()) {
    namespaces[ns.number] = std::move(ns);
  }
  std::string text;
  for (const storage::MirrorStatus& mirror : store.mirrors()) {
    const auto ns = namespaces.find(mirror.ns);
    if (ns == namespaces.end()) {
      continue;  // deleted just now
    }
    JsonObject object;
    object.add("namespace", json_string(ns->second.id))
        .add("title", json_string(ns->second.title))
        .add("position", json_string(to_hex(mirror.position)))
        .add("fresh_as_of_ms",
             mirror.fresh_as_of ? std::to_string(to_unix_ms(*mirror.fresh_as_of)) : "null")
        .add("rules", rules_json(mirror.rules));
    const std::string rendered = object.finish();
    if (text.size() + rendered.size() > room) {
      break;
    }
    text += (text.empty() ? "" : ",") + rendered;
  }
  return "[" + text + "]";
}

}  // namespace

Code answer_open(const storage::Store& store,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out) {
  if (request.key.empty() || request.key.size() > wire::kTitleBytesMax) {
    return append_failure(
        to,
        Status(Code::kInvalidArgument,
               "could not open namespace: its id or title is not 1 to 512 bytes long"),
        out);
  }
  Result<storage::Namespace> found = store.find_namespace(request.key);
  return found ? append_reply(to, namespace_fields(*found), {}, out)
               : append_failure(to, found.error(), out);
}

Code answer_ping(const Clock& clock,
                 const wire::Request& request,
                 const ReplyTo& to,
                 std::string& out) {
  if (request.value.size() > wire::kPingBytesMax) {
    return append_failure(
        to, Status(Code::kTooLarge, "could not answer ping: it is above 4096 bytes"), out);
  }
  wire::Fields fields;
  fields.server_time_ms = static_cast<std::uint64_t>(to_unix_ms(clock.wall_now()));
  return append_reply(to, fields, request.value, out);
}

Code answer_namespace_list(const storage::Store& store,
                           const wire::Request& request,
                           const ReplyTo& to,
                           std::string& out,
                           const std::function<bool(const storage::Namespace&)>& visible) {
  std::vector<storage::Namespace> all = store.list_namespaces();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  const std::string_view after = request.fields.cursor.value_or("");
  const std::size_t limit = request.fields.limit.value_or(wire::kListLimitMax);
  const std::size_t room = to.body_bytes_max - (4 + wire::kNamespaceIdBytes);
  std::string items;
  std::string_view last;
  std::size_t count = 0;
  wire::Fields fields;
  for (const storage::Namespace& ns : all) {
    if (ns.id <= after || (visible && !visible(ns))) {
      continue;
    }
    const wire::Item item{wire::Opcode::kOpen,
                          Code::kOk,
                          namespace_fields(ns),
                          std::string_view{},
                          std::string_view{}};
    if (count == limit || items.size() + wire::item_bytes(item) > room) {
      fields.cursor = last;
      break;
    }
    wire::append_item(item, items);
    last = ns.id;
    ++count;
  }
  return append_reply(to, fields, items, out);
}

Code answer_namespace_create(storage::Store& store,
                             const wire::Request& request,
                             const ReplyTo& to,
                             std::string& out) {
  const std::string_view title = request.fields.title.value_or("");
  const std::string_view id = request.fields.namespace_id.value_or("");
  Result<storage::Namespace> created = store.create_namespace(std::string(title), std::string(id));
  return created ? append_reply(to, namespace_fields(*created), {}, out)
                 : append_failure(to, created.error(), out);
}

Code answer_status(const Status& status, const ReplyTo& to, std::string& out) {
  return status.ok() ? append_reply(to, {}, {}, out) : append_failure(to, status, out);
}

Code answer_namespace_change(storage::Store& store,
                             const wire::Request& request,
                             const ReplyTo& to,
                             std::string& out) {
  switch (request.opcode) {
    case wire::Opcode::kNamespaceRename:
      return answer_status(
          store.rename_namespace(request.ns, std::string(request.fields.title.value_or(""))),
          to,
          out);
    case wire::Opcode::kNamespaceDelete:
      return answer_status(store.delete_namespace(request.ns), to, out);
    default:
      return answer_status(store.clear_namespace(request.ns), to, out);
  }
}

Code answer_namespace_usage(const storage::Store& store,
                            const wire::Request& request,
                            const ReplyTo& to,
                            std::string& out) {
  const Result<storage::NamespaceUsage> usage = store.usage(request.ns);
  if (!usage) {
    return append_failure(to, usage.error(), out);
  }
  std::string buckets;
  for (const storage::ExpiryBucket& bucket : usage->by_expiry) {
    JsonObject object;
    object
        .add("until_ms",
             bucket.until ? std::to_string(to_unix_ms(*bucket.until)) : std::string("null"))
        .add("keys", std::to_string(bucket.keys))
        .add("bytes", std::to_string(bucket.bytes));
    buckets += (buckets.empty() ? "" : ",") + object.finish();
  }
  JsonObject object;
  object.add("keys", std::to_string(usage->keys))
      .add("bytes", std::to_string(usage->bytes))
      .add("by_expiry", "[" + buckets + "]");
  return append_reply(to, {}, object.finish(), out);
}

Code answer_stats(const storage::Store& store,
                  const Clock& clock,
                  const NodeStats& node,
                  const ReplyTo& to,
                  std::string& out) {
  const storage::StoreStats stats = store.stats();
  const std::int64_t now_ms = to_unix_ms(clock.wall_now());
  JsonObject object;
  object.add("server_time_ms", std::to_string(now_ms))
      .add("started_ms", std::to_string(node.started_ms))
      .add("connections", std::to_string(node.connections))
      .add("namespaces", std::to_string(store.list_namespaces().size()))
      .add("engine", json_text(stats.engine))
      .add("disk_bytes", std::to_string(stats.disk_bytes))
      .add("memory_bytes", std::to_string(stats.memory_bytes))
      .add("keys_estimate", std::to_string(stats.keys_estimate))
      .add("expired_reclaimed", std::to_string(stats.expired_reclaimed))
      .add("writes", std::to_string(stats.writes))
      .add("syncs", std::to_string(stats.syncs))
      .add("recovered_lost_writes", std::to_string(stats.recovered_lost_writes))
      .add("write_groups", std::to_string(stats.write_groups))
      .add("mirrors", mirrors_json(store, to.body_bytes_max - kFiguresBytes));
  return append_reply(to, {}, object.finish(), out);
}

}  // namespace edged::server
