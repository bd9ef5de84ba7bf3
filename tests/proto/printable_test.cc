// SPDX-License-Identifier: Apache-2.0
#include "proto/base/printable.h"

#include <gtest/gtest.h>

namespace edged {
namespace {

const struct {
  std::string text, shown;
} kUnsafe[] = {
    {"\x1b[2J", "\\u001b[2J"},
    {"a\nb\r\tc", "a\\nb\\r\\tc"},
    {std::string("\0", 1), "\\u0000"},
    {"\x7f", "\\u007f"},
    {"\xc2\x9b"
     "31m",
     "\\u009b31m"},  // C1: a terminal's CSI
    {"\xe2\x80\xae"
     "txt.exe",
     "\\u202etxt.exe"},                                // right-to-left override
    {"\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069"},  // isolates
    {"\xe2\x80\x8f\xd8\x9c", "\\u200f\\u061c"},        // marks
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},    // separators
    {"\x9b"
     "31m",
     "\\x9b31m"},  // the same as a byte of Latin-1
    {"caf\xc3", "caf\\xc3"},
};

TEST(PrintableTest, EscapesWhatDrivesATerminal) {
  for (const auto& item : kUnsafe) {
    EXPECT_FALSE(is_printable(item.text)) << item.shown;
    EXPECT_EQ(printable(item.text), item.shown);
  }
}

TEST(PrintableTest, LeavesTextAsItIs) {
  for (const std::string text :
       {"", "class_state:12431", "Übung \"x\\n\"", "\xd7\xa9\xd7\x9c", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(is_printable(text)) << text;
    EXPECT_EQ(printable(text), text);
    EXPECT_EQ(printable_lines(text), text);
  }
  EXPECT_EQ(printable_lines("a\tb\nc\r\x1b"), "a\tb\nc\\r\\u001b");
}

TEST(PrintableTest, KnowsACharacterWhoseRestMayFollow) {
  EXPECT_EQ(unfinished_bytes(""), 0u);
  EXPECT_EQ(unfinished_bytes("abc"), 0u);
  EXPECT_EQ(unfinished_bytes("a\xc2"), 1u);
  EXPECT_EQ(unfinished_bytes("a\xc2\x9b"), 0u);
  EXPECT_EQ(unfinished_bytes("a\xe2\x80"), 2u);
  EXPECT_EQ(unfinished_bytes("\xf0\x9f\x98"), 3u);
  EXPECT_EQ(unfinished_bytes("\xf0\x9f\x98\x80"), 0u);
  EXPECT_EQ(unfinished_bytes("\x80\x80\x80"), 0u);
}

}  // namespace
}  // namespace edged
