// SPDX-License-Identifier: Apache-2.0
// Works on the text with comments blanked, which has the same offsets. The text was parsed before,
// so the scanner below meets well-formed values only.
#include "tools/edged/jsonc_edit.h"

#include <algorithm>

#include "tools/edged/json_document.h"
#include "tools/edged/jsonc_text.h"

namespace edged::config {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

struct Member {
  std::size_t key = 0;    // of the opening quote
  std::size_t value = 0;  // of its first byte
  std::size_t end = 0;    // behind its last byte
};

std::size_t skip_blanks(std::string_view plain, std::size_t at) {
  return std::min(plain.find_first_not_of(kBlanks, at), plain.size());
}

// Behind the string whose opening quote is at `at`.
std::size_t end_of_string(std::string_view plain, std::size_t at) {
  for (++at; at < plain.size() && plain[at] != '"'; ++at) {
    if (plain[at] == '\\') ++at;
  }
  return std::min(at + 1, plain.size());
}

// Behind the value that begins at `at`.
std::size_t end_of_value(std::string_view plain, std::size_t at) {
  if (plain[at] == '"') return end_of_string(plain, at);
  if (plain[at] != '{' && plain[at] != '[') {
    return std::min(plain.find_first_of(",]} \t\r\n", at), plain.size());
  }
  int depth = 0;
  while (at < plain.size()) {
    if (plain[at] == '"') {
      at = end_of_string(plain, at);
      continue;
    }
    if (plain[at] == '{' || plain[at] == '[') ++depth;
    if (plain[at] == '}' || plain[at] == ']') --depth;
    ++at;
    if (depth == 0) break;
  }
  return at;
}

// `object` is the offset of its brace.
std::optional<Member> find_member(std::string_view plain,
                                  std::size_t object,
                                  const std::string& key) {
  std::size_t at = skip_blanks(plain, object + 1);
  while (at < plain.size() && plain[at] == '"') {
    Member member;
    member.key = at;
    const std::size_t key_end = end_of_string(plain, at);
    const std::string_view name = plain.substr(at + 1, key_end - at - 2);
    member.value = skip_blanks(plain, skip_blanks(plain, key_end) + 1);
    member.end = end_of_value(plain, member.value);
    if (name == key) return member;
    at = skip_blanks(plain, member.end);
    if (at < plain.size() && plain[at] == ',') at = skip_blanks(plain, at + 1);
  }
  return std::nullopt;
}

// The text with blanked comments, of the same length. Errors: it is no document.
Result<std::string> plain_of(const std::string& text) {
  Json ignored;
  JsonError error;
  if (!parse_jsonc(text, ignored, error)) {
    return Status(
        Code::kInvalidArgument,
        std::string("line ") + std::to_string(error.position.line) + ": " + error.message);
  }
  const std::string_view body = without_byte_order_mark(text);
  std::string plain;
  (void)blank_comments(body, plain, error);
  return std::string(text.size() - body.size(), ' ') + plain;
}

// How far a path leads.
struct Place {
  std::size_t object = 0;        // the brace of the innermost object that is there
  std::size_t depth = 0;         // how many keys led to it
  std::optional<Member> member;  // the last key's, if all are there
};

Result<Place> walk(std::string_view plain, const KeyPath& path) {
  Place place;
  place.object = plain.find('{');
  while (place.depth < path.size()) {
    const auto member = find_member(plain, place.object, path[place.depth]);
    if (!member) return place;
    if (place.depth + 1 == path.size()) {
      place.member = member;
      return place;
    }
    if (plain[member->value] != '{') {
      return Status(Code::kInvalidArgument, "\"" + path[place.depth] + "\" is not an object");
    }
    place.object = member->value;
    ++place.depth;
  }
  return place;
}

std::string indentation(std::size_t depth) {
  return std::string(2 * depth, ' ');
}

// `"a": {"b": json},` for the keys from `depth` on.
std::string new_member(const KeyPath& path, std::size_t depth, const std::string& json) {
  std::string text = "\"" + path[depth] + "\": ";
  if (depth + 1 == path.size()) return text + json + ",";
  text += "{\n";
  text.append(indentation(depth + 2)).append(new_member(path, depth + 1, json));
  text.append("\n").append(indentation(depth + 1)).append("},");
  return text;
}

}  // namespace

KeyPath key_path(std::string_view dotted) {
  KeyPath path;
  while (true) {
    const std::size_t dot = std::min(dotted.find('.'), dotted.size());
    path.emplace_back(dotted.substr(0, dot));
    if (dot == dotted.size()) return path;
    dotted.remove_prefix(dot + 1);
  }
}

Result<std::string> set_value(const std::string& text,
                              const KeyPath& path,
                              const std::string& json) {
  const Result<std::string> plain = plain_of(text);
  if (!plain) return plain.error();
  const Result<Place> place = walk(*plain, path);
  if (!place) return place.error();
  std::string changed = text;
  if (place->member) {
    const Member& member = *place->member;
    changed.replace(member.value, member.end - member.value, json);
    return changed;
  }
  std::string added = std::string("\n") + indentation(place->depth + 1);
  added += new_member(path, place->depth, json);
  const std::size_t behind = place->object + 1;
  // What stood on the brace's line goes on a line of its own.
  if (behind < text.size() && text[behind] != '\n' && text[behind] != '\r') {
    added.append("\n").append(indentation(place->depth));
  }
  changed.insert(behind, added);
  return changed;
}

Result<std::string> remove_key(const std::string& text, const KeyPath& path) {
  const Result<std::string> plain = plain_of(text);
  if (!plain) return plain.error();
  const Result<Place> place = walk(*plain, path);
  if (!place) return place.error();
  if (!place->member) return text;
  std::size_t begin = place->member->key;
  std::size_t end = place->member->end;
  const std::size_t next = skip_blanks(*plain, end);
  if (next < plain->size() && (*plain)[next] == ',') end = next + 1;
  // The whole line, if nothing else stands on it.
  const std::size_t line = text.find_last_of('\n', begin) + 1;
  const bool alone =
      text.find_first_not_of(" \t", line) == begin && end < text.size() && text[end] == '\n';
  if (alone && line > 0) {
    begin = line;
    ++end;
  }
  std::string changed = text;
  changed.erase(begin, end - begin);
  return changed;
}

std::optional<std::string> written_text(const std::string& text, const KeyPath& path) {
  Json document;
  JsonError error;
  if (!parse_jsonc(text, document, error)) return std::nullopt;
  const Json* found = &document;
  for (const std::string& key : path) {
    found = found->kind == Json::Kind::kObject ? found->find(key) : nullptr;
    if (found == nullptr) return std::nullopt;
  }
  if (found->kind != Json::Kind::kString) return std::nullopt;
  return found->text;
}

bool has_key(const std::string& text, const KeyPath& path) {
  const Result<std::string> plain = plain_of(text);
  if (!plain) return false;
  const Result<Place> place = walk(*plain, path);
  return place && place->member.has_value();
}

}  // namespace edged::config
