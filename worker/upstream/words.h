// SPDX-License-Identifier: Apache-2.0
// Words of an upstream that mean something to us: "Full" for 0 seats, "Cancelled" for a section
// that does not take place. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edged::upstream {

// By field: the words that mean 0.
struct ZeroWords {
  std::vector<std::string> seats_available, seats_capacity, non_reserved_seats, seats_taken;
};

// True if `text` is one of `words`. Letter case (of any script) and surrounding white space do not
// count.
bool is_one_of(std::string_view text, const std::vector<std::string>& words);

// Empty if the words can be used, else why not: a blank word, one that is there twice, one that is
// too long.
std::string check_words(const std::vector<std::string>& words);
// The same for words that mean 0, of which none may be a number.
std::string check_zero_words(const std::vector<std::string>& words);

}  // namespace edged::upstream
