// SPDX-License-Identifier: Apache-2.0
// Reads one object of the configuration key by key: converts, remembers where each key stands,
// collects complaints, and finds unknown keys. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tools/edged/json_document.h"

namespace edged::config {

struct Complaint {
  std::string file;  // empty: flags or the environment
  Position position;
  std::string path;  // "node.durability"; empty: the whole file
  std::string message;
  std::string origin{};  // "--http or EDGED_HTTP", of a value that no file has

  // "edged.jsonc:12:5: node.durability: \"foo\" is not one of wal, sync"
  std::string to_string() const;
};

// What is shared by all readers of one load.
// What configuration files say, by the path of each key. Not for the log: secrets are among it.
using WrittenValues = std::map<std::string, std::string>;

struct ReadContext {
  std::string file;
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::function<std::string(const std::string&)> check_postgres_url;  // see LoadRequest; or null
  std::vector<Complaint> errors;
  std::vector<std::string> warnings;
  std::vector<std::string> ignored;  // paths of keys that tolerant readers did not know
  std::string distrusted;  // why the file that was found by itself is not used; empty: it is
  std::map<std::string, Complaint> places;  // by path; message empty
  // Every key that a reader asked for, there or not; "kv_namespaces[].id" of each element.
  std::set<std::string> known_paths;
  WrittenValues written;  // of all files that were read

  void complain(const std::string& path, std::string message);
};

class ObjectReader {
 public:
  // An unset environment variable is no error if `lenient` (the section is not used by the
  // program).
  ObjectReader(const Json& object, std::string path, ReadContext& context, bool lenient = false);

  // Each leaves `out` alone if the key is absent or wrong.
  void text(std::string_view key, std::string& out);
  // As text(); an unset environment variable is no error if the program does not use the key.
  void text_if_used(bool used, std::string_view key, std::string& out);
  void choice(std::string_view key,
              std::initializer_list<std::string_view> allowed,
              std::string& out);
  void boolean(std::string_view key, bool& out);
  void integer(std::string_view key, int min, int max, int& out);
  void duration(std::string_view key, std::chrono::milliseconds& out);
  // A duration, or `word`, which is nothing.
  void duration_or(std::string_view key,
                   std::string_view word,
                   std::optional<std::chrono::milliseconds>& out);
  void size(std::string_view key, std::uint64_t& out);
  void text_list(std::string_view key, std::vector<std::string>& out);
  // Null if absent or of another kind.
  const Json* object(std::string_view key);
  const Json* array(std::string_view key);
  // The key is known and not looked into.
  void ignore(std::string_view key) { take(key); }
  // Complains if the key is absent.
  void require(std::string_view key);
  bool has(std::string_view key) const { return object_.find(key) != nullptr; }
  bool is_null(std::string_view key) const;

  // Complains about keys that were never asked for; with `tolerant` only notes them.
  void finish(bool tolerant = false);

  std::string path_of(std::string_view key) const;

 private:
  // The text of a duration or size that is there and is a string.
  std::optional<std::string> written(std::string_view key, const char* example);
  const Json* take(std::string_view key);
  const Json* take_kind(std::string_view key, Json::Kind kind);
  std::optional<std::string> expand(const Json& value, const std::string& path);

  const Json& object_;
  const std::string path_;
  ReadContext& context_;
  bool lenient_;
  std::vector<std::string> known_;
};

// Calls `read` with a reader for each object of an array, "kv_namespaces[0]", and finishes it.
// `tolerant`: see ObjectReader::finish().
template <typename Read>
void for_each_object(const Json& array,
                     const std::string& path,
                     ReadContext& context,
                     bool lenient,
                     bool tolerant,
                     const Read& read) {
  for (std::size_t i = 0; i < array.elements.size(); ++i) {
    const Json& element = array.elements[i];
    const std::string place = path + "[" + std::to_string(i) + "]";
    context.places[place] = {context.file, element.position, place, {}};
    if (element.kind != Json::Kind::kObject) {
      context.complain(place, "expected an object, found " + std::string(kind_name(element.kind)));
      continue;
    }
    ObjectReader reader(element, place, context, lenient);
    read(reader);
    reader.finish(tolerant);
  }
}

}  // namespace edged::config
