// SPDX-License-Identifier: Apache-2.0
// Comparison by libunistring's case folding.
#include "worker/upstream/words.h"

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
#include <cstdint>

namespace edged::upstream {
namespace {

constexpr std::size_t kWordBytesMax = 100;

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// Without white space at both ends, of Unicode too (a no-break space).
std::string_view trim(std::string_view text) {
  ucs4_t character = 0;
  while (!text.empty()) {
    const int length = u8_mbtouc(&character, bytes_of(text), text.size());
    if (length <= 0 || !uc_is_property_white_space(character)) break;
    text.remove_prefix(static_cast<std::size_t>(length));
  }
  while (!text.empty()) {
    const std::uint8_t* const end = bytes_of(text) + text.size();
    const std::uint8_t* const last = u8_prev(&character, end, bytes_of(text));
    if (last == nullptr || !uc_is_property_white_space(character)) break;
    text.remove_suffix(static_cast<std::size_t>(end - last));
  }
  return text;
}

bool is_same_word(std::string_view left, std::string_view right) {
  int order = 0;
  const int failed = u8_casecmp(
      bytes_of(left), left.size(), bytes_of(right), right.size(), nullptr, UNINORM_NFC, &order);
  return failed == 0 ? order == 0 : left == right;
}

bool is_number(std::string_view text) {
  return text.find_first_not_of("+-0123456789.,") == text.npos &&
         text.find_first_of("0123456789") != text.npos;
}

}  // namespace

bool is_one_of(std::string_view text, const std::vector<std::string>& words) {
  const std::string_view trimmed = trim(text);
  return std::any_of(words.begin(), words.end(), [trimmed](const std::string& word) {
    return is_same_word(trimmed, trim(word));
  });
}

std::string check_words(const std::vector<std::string>& words) {
  std::vector<std::string> seen;
  for (const std::string& word : words) {
    if (trim(word).empty()) return "holds a blank word";
    if (word.size() > kWordBytesMax) return "holds a word of more than 100 bytes";
    if (is_one_of(word, seen)) return "holds \"" + word + "\" twice; letter case does not count";
    seen.push_back(word);
  }
  return {};
}

std::string check_zero_words(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (is_number(trim(word))) return "holds the number \"" + word + "\"; numbers are read as such";
  }
  return check_words(words);
}

}  // namespace edged::upstream
