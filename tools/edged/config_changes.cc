// SPDX-License-Identifier: Apache-2.0
// See config_changes.h.
#include "tools/edged/config_changes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace edged::config {
namespace {

std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return {{}, path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

Json* find(Json& object, std::string_view key) {
  for (Json::Member& member : object.members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

// The object that holds the path's last name, made if `make`; null: there is none.
Json* holder_of(Json& document, std::string_view section, const Position& position, bool make) {
  if (section.empty()) return &document;
  Json* found = find(document, section);
  if (found == nullptr && make) {
    Json object;
    object.kind = Json::Kind::kObject;
    object.position = position;
    document.members.push_back({std::string(section), std::move(object)});
    found = &document.members.back().value;
  }
  return found != nullptr && found->kind == Json::Kind::kObject ? found : nullptr;
}

void rename_key(Json& document, const RenamedKey& renamed, ReadContext& context) {
  const auto [section, key] = split(renamed.before);
  const auto [new_section, new_key] = split(renamed.now);
  Json* const from = holder_of(document, section, {}, false);
  Json* const found = from == nullptr ? nullptr : find(*from, key);
  if (found == nullptr) return;
  Json value = *found;
  const std::string before(renamed.before);
  const std::string now(renamed.now);
  context.places[before] = {context.file, value.position, before, {}};
  std::erase_if(from->members, [key = key](const Json::Member& one) { return one.key == key; });
  Json* const to = holder_of(document, new_section, value.position, true);
  if (to == nullptr || find(*to, new_key) != nullptr) {
    context.complain(before, "is called \"" + now + "\" now, which is there too. Remove one");
    return;
  }
  Complaint warning{context.file, value.position, before, {}};
  warning.message = "is called \"" + now + "\" now. This release still reads it: rename it";
  context.warnings.push_back(warning.to_string());
  to->members.push_back({std::string(new_key), std::move(value)});
}

std::string text_of(const Json& value) {
  switch (value.kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return value.boolean ? "true" : "false";
    case Json::Kind::kInteger:
      return std::to_string(value.integer);
    case Json::Kind::kDouble:
      return std::to_string(value.real);
    case Json::Kind::kString:
      return '"' + value.text;
    case Json::Kind::kArray:
      return "[";
    case Json::Kind::kObject:
      break;
  }
  return "{";
}

void note(const Json& value, const std::string& path, WrittenValues& values) {
  if (value.kind != Json::Kind::kObject) values[path] = text_of(value);
  for (const Json::Member& member : value.members) {
    note(member.value, path + "." + member.key, values);
  }
  for (std::size_t i = 0; i < value.elements.size(); ++i) {
    note(value.elements[i], path + "[" + std::to_string(i) + "]", values);
  }
}

// The keys of the worker that also tell the node how to pass on requests for queues.
constexpr std::string_view kOfWorkerReadByNode[] = {
    "worker.http", "worker.queue_secret", "worker.queue_secret_file", "worker.roles"};

// Whether the program of `scope` reads the key at its start.
bool concerns(std::string_view path, Scope scope) {
  const std::string_view section = path.substr(0, path.find_first_of(".["));
  if (section == "log_level") return false;
  if (scope != Scope::kNode) return true;  // the worker reads where its node is, too
  if (section == "node" || section == "kv_namespaces" || section == "wrangler") return true;
  const std::string_view key = path.substr(0, path.find('['));
  return std::find(std::begin(kOfWorkerReadByNode), std::end(kOfWorkerReadByNode), key) !=
         std::end(kOfWorkerReadByNode);
}

}  // namespace

std::span<const RenamedKey> renamed_keys() {
  return {};
}

void rename_keys(Json& document, std::span<const RenamedKey> renamed, ReadContext& context) {
  for (const RenamedKey& one : renamed) rename_key(document, one, context);
}

void note_values(const Json& document, bool wrangler, WrittenValues& values) {
  for (const Json::Member& member : document.members) {
    const bool used = member.key == "kv_namespaces" || member.key == "triggers" ||
                      member.key == "queues" || member.key == "env";
    if (used || !wrangler) note(member.value, member.key, values);
  }
}

std::vector<std::string> changed_keys(const WrittenValues& before,
                                      const WrittenValues& after,
                                      Scope scope) {
  std::vector<WrittenValues::value_type> changes;
  std::set_symmetric_difference(
      before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(changes));
  std::vector<std::string> paths;
  for (const auto& [path, value] : changes) {
    if (concerns(path, scope)) paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace edged::config
