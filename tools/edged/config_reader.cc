// SPDX-License-Identifier: Apache-2.0
#include "tools/edged/config_reader.h"

#include <algorithm>
#include <utility>

#include "proto/base/printable.h"
#include "proto/base/units.h"

namespace edged::config {
namespace {

std::string join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : ", ") + word;
  return joined;
}

std::string expected(std::string_view kind, const Json& found) {
  return "expected " + std::string(kind) + ", found " + std::string(kind_name(found.kind));
}

// "a[3].b" as "a[].b".
std::string without_indexes(std::string path) {
  for (std::size_t open = path.find('['); open != std::string::npos;
       open = path.find('[', open + 1)) {
    path.erase(open + 1, path.find(']', open) - open - 1);
  }
  return path;
}

}  // namespace

std::string Complaint::to_string() const {
  std::string line = file;
  if (position.line > 0) {
    line += ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
  }
  if (!line.empty()) line += ": ";
  if (!path.empty()) line += path + ": ";
  return printable(line + message);  // keys and values are of whoever wrote the file
}

void ReadContext::complain(const std::string& path, std::string message) {
  // The nearest key that stands in the file: the path's own, or an object it would belong to.
  Complaint complaint;
  complaint.file = file;
  for (std::string place = path; !place.empty();) {
    const auto found = places.find(place);
    if (found != places.end()) {
      complaint.file = found->second.file;
      complaint.position = found->second.position;
      complaint.origin = found->second.origin;
      break;
    }
    const std::size_t end = place.find_last_of(".[");
    place = end == std::string::npos ? std::string() : place.substr(0, end);
  }
  complaint.path = path;
  complaint.message = std::move(message);
  if (!complaint.origin.empty()) complaint.message += " (set by " + complaint.origin + ")";
  errors.push_back(std::move(complaint));
}

ObjectReader::ObjectReader(const Json& object, std::string path, ReadContext& context, bool lenient)
    : object_(object), path_(std::move(path)), context_(context), lenient_(lenient) {}

std::string ObjectReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Json* ObjectReader::take(std::string_view key) {
  known_.emplace_back(key);
  context_.known_paths.insert(without_indexes(path_of(key)));
  const Json* value = object_.find(key);
  if (value != nullptr) {
    const std::string path = path_of(key);
    context_.places[path] = {context_.file, value->position, path, {}};
  }
  return value;
}

const Json* ObjectReader::take_kind(std::string_view key, Json::Kind kind) {
  const Json* value = take(key);
  if (value == nullptr || value->kind == kind) return value;
  const bool above = kind == Json::Kind::kInteger && value->kind == Json::Kind::kDouble;
  context_.complain(path_of(key),
                    above ? "expected a whole number that fits 64 bits, written in digits alone"
                          : expected(kind_name(kind), *value));
  return nullptr;
}

// Replaces each ${NAME}; nothing, after a complaint, if one is unset or not closed.
std::optional<std::string> ObjectReader::expand(const Json& value, const std::string& path) {
  std::string out;
  std::size_t from = 0;
  for (;;) {
    const std::size_t open = value.text.find("${", from);
    out += value.text.substr(from, open == std::string::npos ? open : open - from);
    if (open == std::string::npos) return out;
    const std::size_t close = value.text.find('}', open);
    const std::string name =
        close == std::string::npos ? "" : value.text.substr(open + 2, close - open - 2);
    if (name.empty()) {
      context_.complain(path, "\"${\" begins an environment variable: write \"${NAME}\"");
      return std::nullopt;
    }
    const auto variable = context_.environment(name);
    if (!variable && !lenient_) {
      context_.complain(
          path,
          "the environment variable " + name + " is not set. Set it, or write the value here");
      return std::nullopt;
    }
    out += variable.value_or("");
    from = close + 1;
  }
}

void ObjectReader::text(std::string_view key, std::string& out) {
  const Json* value = take_kind(key, Json::Kind::kString);
  if (value == nullptr) return;
  if (auto expanded = expand(*value, path_of(key))) out = std::move(*expanded);
}

void ObjectReader::text_if_used(bool used, std::string_view key, std::string& out) {
  const bool before = lenient_;
  lenient_ = lenient_ || !used;
  text(key, out);
  lenient_ = before;
}

void ObjectReader::choice(std::string_view key,
                          std::initializer_list<std::string_view> allowed,
                          std::string& out) {
  std::string chosen = out;
  text(key, chosen);
  if (std::find(allowed.begin(), allowed.end(), chosen) == allowed.end()) {
    context_.complain(path_of(key),
                      "\"" + chosen + "\" is not one of " + join({allowed.begin(), allowed.end()}));
    return;
  }
  out = std::move(chosen);
}

void ObjectReader::boolean(std::string_view key, bool& out) {
  if (const Json* value = take_kind(key, Json::Kind::kBool)) out = value->boolean;
}

void ObjectReader::integer(std::string_view key, int min, int max, int& out) {
  const Json* value = take_kind(key, Json::Kind::kInteger);
  if (value == nullptr) return;
  if (value->integer < min || value->integer > max) {
    context_.complain(path_of(key),
                      std::to_string(value->integer) + " is out of range: " + std::to_string(min) +
                          " to " + std::to_string(max) + " is allowed");
    return;
  }
  out = static_cast<int>(value->integer);
}

std::optional<std::string> ObjectReader::written(std::string_view key, const char* example) {
  std::string text_of_key;
  const Json* const found = object_.find(key);
  const bool there = found != nullptr;
  if (there && (found->kind == Json::Kind::kInteger || found->kind == Json::Kind::kDouble)) {
    take(key);
    context_.complain(path_of(key),
                      std::string("expected a string with a unit, such as \"") + example +
                          "\", found " + std::string(kind_name(found->kind)));
    return std::nullopt;
  }
  const std::size_t errors_before = context_.errors.size();
  text(key, text_of_key);
  if (!there || context_.errors.size() != errors_before) return std::nullopt;
  return text_of_key;
}

void ObjectReader::duration(std::string_view key, std::chrono::milliseconds& out) {
  const std::optional<std::string> text = written(key, "5s");
  if (!text) return;
  const auto parsed = parse_duration(*text);
  if (parsed) out = *parsed;
  if (!parsed) context_.complain(path_of(key), parsed.error().message());
}

void ObjectReader::duration_or(std::string_view key,
                               std::string_view word,
                               std::optional<std::chrono::milliseconds>& out) {
  const std::optional<std::string> text = written(key, "5s");
  if (!text) return;
  const auto parsed = parse_duration(*text);
  if (parsed) {
    out = *parsed;
  } else if (*text == word) {
    out.reset();
  } else {
    context_.complain(
        path_of(key),
        parsed.error().message() + ". The word \"" + std::string(word) + "\" is allowed too");
  }
}

void ObjectReader::size(std::string_view key, std::uint64_t& out) {
  const std::optional<std::string> text = written(key, "256MiB");
  if (!text) return;
  const auto parsed = parse_size(*text);
  if (parsed) out = *parsed;
  if (!parsed) context_.complain(path_of(key), parsed.error().message());
}

void ObjectReader::text_list(std::string_view key, std::vector<std::string>& out) {
  const Json* value = array(key);
  if (value == nullptr) return;
  std::vector<std::string> list;
  for (std::size_t i = 0; i < value->elements.size(); ++i) {
    const Json& element = value->elements[i];
    const std::string path = path_of(key) + "[" + std::to_string(i) + "]";
    context_.places[path] = {context_.file, element.position, path, {}};
    if (element.kind != Json::Kind::kString) {
      context_.complain(path, expected("a string", element));
      return;
    }
    auto expanded = expand(element, path);
    if (!expanded) return;
    list.push_back(std::move(*expanded));
  }
  out = std::move(list);
}

const Json* ObjectReader::object(std::string_view key) {
  return take_kind(key, Json::Kind::kObject);
}

const Json* ObjectReader::array(std::string_view key) {
  return take_kind(key, Json::Kind::kArray);
}

void ObjectReader::require(std::string_view key) {
  if (!has(key)) context_.complain(path_of(key), "is missing");
}

bool ObjectReader::is_null(std::string_view key) const {
  const Json* const value = object_.find(key);
  return value != nullptr && value->kind == Json::Kind::kNull;
}

void ObjectReader::finish(bool tolerant) {
  for (const Json::Member& member : object_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    const std::string path = path_of(member.key);
    if (tolerant) {
      context_.ignored.push_back(path);
      continue;
    }
    context_.places[path] = {context_.file, member.value.position, path, {}};
    context_.complain(path, "unknown key. Known here: " + join(known_));
  }
}

}  // namespace edged::config
