// SPDX-License-Identifier: Apache-2.0
// Which keys a key template can tell apart. Two rows must never have the same key, so the texts of
// the columns must be readable from the key again: "w:{a}:{b}" gives ("x:y", "z") and ("x", "y:z")
// the same key if both columns are text. Pure; any thread.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/mirror/rule.h"

namespace edged::mirror {

// What the text of a column can look like.
struct TextShape {
  std::bitset<256> characters = std::bitset<256>().set();
  // From the second character on. Differs only for types whose text is never empty.
  std::bitset<256> later = std::bitset<256>().set();
  std::size_t length = 0;  // 0: it varies

  bool any() const { return characters.all(); }
};

// The shape of a built-in type by its oid in pg_type (sessions in UTC, datestyle ISO, bytea_output
// hex). Any text for all other types.
TextShape shape_of_type(std::uint32_t oid);
TextShape shape_of_labels(const std::vector<std::string>& labels);

// Reads columns back from keys: from the left as far as each column's end can be found, from the
// right likewise; one column may remain between.
class KeyReader {
 public:
  // `shapes`: of the template's columns; any text for columns that are absent.
  using Shapes = std::map<std::string, TextShape>;
  KeyReader(const KeyTemplate& key, const Shapes& shapes);

  // The columns that can be read back from every key.
  const std::vector<std::string>& columns() const { return columns_; }
  // The columns that cannot.
  const std::vector<std::string>& ambiguous() const { return ambiguous_; }

  // Their texts. Nothing: the template does not make such a key.
  std::optional<std::map<std::string, std::string>> read(std::string_view key) const;

 private:
  struct Item {
    KeyTemplate::Part part;
    TextShape shape;  // of the column as it stands in the key
  };
  // Where the column at `item` ends or begins in `key`; nothing: it cannot be told, or there is no
  // such place.
  static std::optional<std::size_t> separator(const Item& column, const std::string& literal);
  bool ends_clearly(std::size_t item) const;
  bool begins_clearly(std::size_t item) const;
  std::optional<std::string_view> take_front(std::size_t item, std::string_view& key) const;
  std::optional<std::string_view> take_back(std::size_t item, std::string_view& key) const;

  std::vector<Item> items_;
  std::size_t left_ = 0;   // items before it are read from the left
  std::size_t right_ = 0;  // items from it on are read from the right
  std::vector<std::string> columns_, ambiguous_;
};

// A template with the same columns that tells all their values apart: "w:{a|uri}:{b}".
std::string unambiguous_template(const KeyTemplate& key, const KeyReader::Shapes& shapes);

}  // namespace edged::mirror
