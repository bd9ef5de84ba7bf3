// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/import_state.h"

#include <boost/json.hpp>
#include <utility>

#include "proto/base/atomic_file.h"
#include "proto/base/read_file.h"
#include "proto/json/write_json.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;

constexpr std::size_t kFileBytesMax = 64 * 1024;

std::string text(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr || !found->is_string()) return {};
  return {found->get_string().data(), found->get_string().size()};
}

std::uint64_t number(const json::object& object, std::string_view name) {
  json::error_code error;
  const json::value* found = object.if_contains(name);
  if (found == nullptr || !found->is_number()) return 0;
  const auto value = found->to_number<std::uint64_t>(error);
  return error ? 0 : value;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  return out.append(text).append("\"");
}

}  // namespace

Result<std::optional<ImportState>> read_import_state(const std::string& path,
                                                     const ImportState& now) {
  auto content = read_small_file(path, kFileBytesMax);
  if (content.code() == Code::kNotFound) return std::optional<ImportState>();
  if (!content) return content.error().with_context("could not read " + quoted(path));
  json::error_code error;
  const json::value value = json::parse(content->bytes, error);
  if (error || !value.is_object() || !value.get_object().contains("cursor")) {
    return Status(Code::kInvalidArgument, quoted(path) + " is no state of an import");
  }
  const json::object& object = value.get_object();
  ImportState state{text(object, "api"),
                    text(object, "from"),
                    text(object, "to"),
                    text(object, "prefix"),
                    text(object, "cursor")};
  state.counts = {number(object, "stored"),
                  number(object, "expired"),
                  number(object, "existing"),
                  number(object, "bytes")};
  if (state.api != now.api || state.from != now.from || state.to != now.to ||
      state.prefix != now.prefix) {
    return Status(Code::kConflict,
                  quoted(path) + " is the state of another import: from " + quoted(state.from) +
                      " at " + state.api + ", prefix " + quoted(state.prefix) +
                      ", to the namespace " + state.to);
  }
  return std::optional<ImportState>(std::move(state));
}

Status write_import_state(const std::string& path, const ImportState& state) {
  json::object object;
  object["api"] = state.api;
  object["from"] = state.from;
  object["to"] = state.to;
  object["prefix"] = state.prefix;
  object["cursor"] = state.cursor;
  object["stored"] = state.counts.stored;
  object["expired"] = state.counts.expired;
  object["existing"] = state.counts.existing;
  object["bytes"] = state.counts.bytes;
  return replace_file(path, write_json(object) + "\n");
}

}  // namespace edged::kvctl
