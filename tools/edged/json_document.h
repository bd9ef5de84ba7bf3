// SPDX-License-Identifier: Apache-2.0
// JSON with comments and trailing commas as a tree that remembers where each key and value stands,
// so that every later complaint can name line and column. Boost.JSON's event parser reads it;
// duplicate keys are errors. At most 1 MiB of text and 32 levels. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/status.h"

namespace edged::config {

// Both from 1; columns count bytes. 0: unknown.
struct Position {
  int line = 0;
  int column = 0;
};

struct Json {
  enum class Kind { kNull, kBool, kInteger, kDouble, kString, kArray, kObject };
  struct Member;

  Kind kind = Kind::kNull;
  Position position;  // of an object's member: its key's
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Json> elements;
  std::vector<Member> members;

  const Json* find(std::string_view key) const;
};

struct Json::Member {
  std::string key;
  Json value;
};

// "an object", "a string", …
std::string_view kind_name(Json::Kind kind);

struct JsonError {
  Position position;
  std::string message;
};

// False and `error` if `text` is no document whose top is an object.
bool parse_jsonc(std::string_view text, Json& document, JsonError& error);

}  // namespace edged::config
