// SPDX-License-Identifier: Apache-2.0
#include "worker/upstream/words.h"

#include <gtest/gtest.h>

namespace edged::upstream {
namespace {

TEST(WordsTest, LetterCaseAndSurroundingWhiteSpaceDoNotCount) {
  const std::vector<std::string> words{"Full", " Wait List ", "ausgebucht", "ÉPUISÉ", "занято"};
  for (const char* same : {"Full",
                           "FULL",
                           "full",
                           " full\t",
                           "\xC2\xA0"
                           "full\xC2\xA0",
                           "wait list",
                           "AusGebucht",
                           "épuisé",
                           "e\xCC\x81puise\xCC\x81",
                           "ЗАНЯТО"}) {
    EXPECT_TRUE(is_one_of(same, words)) << same;
  }
  for (const char* other :
       {"", " ", "ful", "full!", "Full now", "waitlist", "wait  list", "epuise"}) {
    EXPECT_FALSE(is_one_of(other, words)) << other;
  }
  EXPECT_FALSE(is_one_of("x", {}));
}

TEST(WordsTest, SaysWhyAListIsOfNoUse) {
  EXPECT_EQ(check_words({"Full", "Closed", "7"}), "");
  EXPECT_EQ(check_words({"Full", "FULL "}), "holds \"FULL \" twice; letter case does not count");
  EXPECT_EQ(check_words({""}), "holds a blank word");
  EXPECT_EQ(check_words({std::string(101, 'x')}), "holds a word of more than 100 bytes");
  EXPECT_EQ(check_zero_words({"Full", "-"}), "");
  for (const char* number : {"0", "-1", "+3", "1.5", " 7 "}) {
    EXPECT_NE(check_zero_words({number}), "") << number;
  }
}

}  // namespace
}  // namespace edged::upstream
