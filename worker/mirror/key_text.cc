// SPDX-License-Identifier: Apache-2.0
// See key_text.h.
#include "worker/mirror/key_text.h"

#include <algorithm>
#include <utility>

namespace edged::mirror {
namespace {

constexpr std::string_view kDigits = "0123456789";

std::bitset<256> set_of(std::string_view characters) {
  std::bitset<256> set;
  for (const char c : characters) set.set(static_cast<unsigned char>(c));
  return set;
}

TextShape shape_of(std::string_view characters, std::size_t length = 0) {
  return {set_of(characters), set_of(characters), length};
}

// Digits behind a sign.
TextShape shape_of_integer() {
  return {set_of("0123456789-"), set_of(kDigits), 0};
}

TextShape shape_in_key(const KeyTemplate::Part& part, const KeyReader::Shapes& shapes) {
  if (part.encoding == KeyTemplate::Encoding::kUri) {
    return shape_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%");
  }
  const auto found = shapes.find(part.text);
  return found == shapes.end() ? TextShape{} : found->second;
}

bool has(const std::bitset<256>& set, char c) {
  return set.test(static_cast<unsigned char>(c));
}

}  // namespace

// The oids of built-in types never change.
TextShape shape_of_type(std::uint32_t oid) {
  switch (oid) {
    case 16:  // bool
      return shape_of("tf", 1);
    case 17:  // bytea
      return shape_of("\\x0123456789abcdef");
    case 20:  // int8
    case 21:  // int2
    case 23:  // int4
      return shape_of_integer();
    case 26:    // oid
    case 28:    // xid
    case 29:    // cid
    case 5069:  // xid8
      return shape_of(kDigits);
    case 650:  // cidr
    case 869:  // inet
      return shape_of("0123456789abcdef.:/");
    case 700:  // float4
    case 701:  // float8
      return shape_of("0123456789+-.eNaInfity");
    case 774:  // macaddr8
    case 829:  // macaddr
      return shape_of("0123456789abcdef:");
    case 1082:  // date
      return shape_of("0123456789- BCinfty");
    case 1083:  // time
      return shape_of("0123456789:.");
    case 1266:  // timetz
      return shape_of("0123456789:.+-");
    case 1114:  // timestamp
    case 1184:  // timestamptz
      return shape_of("0123456789-:.+ BCinfty");
    case 1560:  // bit
    case 1562:  // varbit
      return shape_of("01");
    case 1700:  // numeric
      return shape_of("0123456789-.NaInfity");
    case 2950:  // uuid
      return shape_of("0123456789abcdef-", 36);
    case 3220:  // pg_lsn
      return shape_of("0123456789ABCDEF/");
    default:
      return {};
  }
}

TextShape shape_of_labels(const std::vector<std::string>& labels) {
  TextShape shape = shape_of("");
  for (const std::string& label : labels) shape.characters |= set_of(label);
  shape.later = shape.characters;
  return shape;
}

KeyReader::KeyReader(const KeyTemplate& key, const Shapes& shapes) {
  for (const KeyTemplate::Part& part : key.parts()) {
    items_.push_back({part, part.column ? shape_in_key(part, shapes) : TextShape{}});
  }
  while (left_ < items_.size() && ends_clearly(left_)) ++left_;
  right_ = items_.size();
  while (right_ > left_ && begins_clearly(right_ - 1)) --right_;
  // One column between the two is what remains.
  const bool rest = right_ - left_ == 1;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const KeyTemplate::Part& part = items_[i].part;
    if (!part.column) continue;
    const bool known = rest || i < left_ || i >= right_;
    std::vector<std::string>& names = known ? columns_ : ambiguous_;
    if (std::find(names.begin(), names.end(), part.text) == names.end()) {
      names.push_back(part.text);
    }
  }
}

// The first character of `literal` that the column's text cannot have there.
std::optional<std::size_t> KeyReader::separator(const Item& column, const std::string& literal) {
  for (std::size_t i = 0; i < literal.size(); ++i) {
    if (!has(column.shape.later, literal[i])) return i;
  }
  return std::nullopt;
}

bool KeyReader::ends_clearly(std::size_t item) const {
  const Item& one = items_[item];
  if (!one.part.column || one.shape.length > 0 || item + 1 == items_.size()) return true;
  const Item& next = items_[item + 1];
  return !next.part.column && separator(one, next.part.text).has_value();
}

bool KeyReader::begins_clearly(std::size_t item) const {
  const Item& one = items_[item];
  if (!one.part.column || one.shape.length > 0 || item == 0) return true;
  const Item& previous = items_[item - 1];
  if (previous.part.column) return false;
  const std::string& literal = previous.part.text;
  return std::any_of(
      literal.begin(), literal.end(), [&](char c) { return !has(one.shape.characters, c); });
}

std::optional<std::string_view> KeyReader::take_front(std::size_t item,
                                                      std::string_view& key) const {
  const Item& one = items_[item];
  std::size_t size = key.size();
  if (!one.part.column) {
    if (!key.starts_with(one.part.text)) return std::nullopt;
    size = one.part.text.size();
  } else if (one.shape.length > 0) {
    size = one.shape.length;
  } else if (item + 1 < items_.size()) {
    const std::string& literal = items_[item + 1].part.text;
    const std::size_t at = *separator(one, literal);
    // The first character of the text may be one that later ones are not.
    const std::size_t from = at + (one.shape.later == one.shape.characters ? 0 : 1);
    const std::size_t found = key.find(literal[at], from);
    if (found == std::string_view::npos || found < at) return std::nullopt;
    size = found - at;
  }
  if (size > key.size()) return std::nullopt;
  const std::string_view text = key.substr(0, size);
  key.remove_prefix(size);
  return text;
}

std::optional<std::string_view> KeyReader::take_back(std::size_t item,
                                                     std::string_view& key) const {
  const Item& one = items_[item];
  std::size_t size = key.size();
  if (!one.part.column) {
    if (!key.ends_with(one.part.text)) return std::nullopt;
    size = one.part.text.size();
  } else if (one.shape.length > 0) {
    size = one.shape.length;
  } else if (item > left_) {  // what is read from the left is no longer there
    const std::string& literal = items_[item - 1].part.text;
    std::size_t at = literal.size();
    while (has(one.shape.characters, literal[at - 1])) --at;
    const std::size_t found = key.rfind(literal[at - 1]);
    if (found == std::string_view::npos || found + 1 + literal.size() - at > key.size()) {
      return std::nullopt;
    }
    size = key.size() - (found + 1 + literal.size() - at);
  }
  if (size > key.size()) return std::nullopt;
  const std::string_view text = key.substr(key.size() - size);
  key.remove_suffix(size);
  return text;
}

std::optional<std::map<std::string, std::string>> KeyReader::read(std::string_view key) const {
  std::map<std::string, std::string> texts;
  const auto keep = [&](const Item& item, std::string_view text) {
    if (item.part.column) texts[item.part.text] = decoded(text, item.part.encoding);
  };
  for (std::size_t i = 0; i < left_; ++i) {
    const auto text = take_front(i, key);
    if (!text) return std::nullopt;
    keep(items_[i], *text);
  }
  for (std::size_t i = items_.size(); i > right_; --i) {
    const auto text = take_back(i - 1, key);
    if (!text) return std::nullopt;
    keep(items_[i - 1], *text);
  }
  if (right_ - left_ == 1) keep(items_[left_], key);
  if (right_ == left_ && !key.empty()) return std::nullopt;
  return texts;
}

std::string unambiguous_template(const KeyTemplate& key, const KeyReader::Shapes& shapes) {
  std::string text = key.prefix();
  std::string escaped;
  for (const char c : text)
    escaped += (c == '{' || c == '}') ? std::string(2, c) : std::string(1, c);
  text = std::move(escaped);
  const std::vector<std::string>& columns = key.columns();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto found = shapes.find(columns[i]);
    const bool plain =
        i + 1 == columns.size() || (found != shapes.end() && !has(found->second.later, ':'));
    text += "{" + columns[i] + (plain ? "}" : "|uri}");
    if (i + 1 < columns.size()) text += ':';
  }
  return text;
}

}  // namespace edged::mirror
