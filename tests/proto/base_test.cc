// SPDX-License-Identifier: Apache-2.0
// The small helpers of proto/base that everything shares.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

#include "proto/base/backoff.h"
#include "proto/base/base64.h"
#include "proto/base/crc32c.h"
#include "proto/base/hash.h"
#include "proto/base/hex.h"
#include "proto/base/utf8.h"

namespace edged {
namespace {

using std::chrono::milliseconds;

TEST(Base64Test, EncodesTheVectorsOfRfc4648) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("\xFF\xFE\xFD"), "//79");
}

TEST(Base64Test, DecodesWhatItEncodesAndRefusesTheRest) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(from_base64("Zg"), "f") << "padding may be left out";
  EXPECT_EQ(from_base64("Zm8"), "fo");
  for (const char* text : {"Z",
                           "Zg=",
                           "Zg===",
                           "Zm8==",
                           "Zm9v=",
                           "Zm9v====",
                           "=",
                           "Zg==Zg==",
                           "Zm 9",
                           "Zm9v\n",
                           "Zm9-",
                           "Zm9_"}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

TEST(HashTest, IsFnv1aWith64Bits) {
  EXPECT_EQ(fnv1a_64(""), 0xCBF29CE484222325U);
  EXPECT_EQ(fnv1a_64("foobar"), 0x85944171F73967E8U);
}

TEST(Crc32cTest, GivesTheCheckValueFromAnyAlignment) {
  const std::string text = "...123456789";
  EXPECT_EQ(extend_crc32c(0, std::string_view(text).substr(3)), 0xE3069283U);
  EXPECT_EQ(extend_crc32c(extend_crc32c(0, "12345"), "6789"), 0xE3069283U);
}

TEST(Utf8Test, TellsTheLengthOfTheFirstSequence) {
  EXPECT_EQ(utf8_character_bytes("a"), 1U);
  EXPECT_EQ(utf8_character_bytes("\xC3\xA9x"), 2U);
  EXPECT_EQ(utf8_character_bytes("\xE2\x82\xAC"), 3U);
  EXPECT_EQ(utf8_character_bytes("\xF0\x9F\x98\x80"), 4U);
  for (const char* malformed : {"\x80", "\xC0\x80", "\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_EQ(utf8_character_bytes(malformed), 0U) << to_hex(malformed);
  }
}

TEST(BackoffTest, DoublesUpToItsMaximum) {
  Backoff backoff({milliseconds(10), milliseconds(50), Jitter::kNone});
  for (const int expected : {10, 20, 40, 50, 50}) EXPECT_EQ(backoff.next(), milliseconds(expected));
  backoff.reset();
  EXPECT_EQ(backoff.next(), milliseconds(10));
}

TEST(BackoffTest, JitterStaysWithinItsPart) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto full = Backoff::delay({milliseconds(100), milliseconds(100)}, i, random);
    EXPECT_TRUE(full >= milliseconds(1) && full <= milliseconds(100));
    const auto half =
        Backoff::delay({milliseconds(100), milliseconds(100), Jitter::kHalf}, i, random);
    EXPECT_TRUE(half >= milliseconds(50) && half <= milliseconds(100));
  }
}

}  // namespace
}  // namespace edged
