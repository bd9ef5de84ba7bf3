// SPDX-License-Identifier: Apache-2.0
#include "kvstore/redis/command_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

namespace edged::redis {
namespace {

using Event = CommandParser::Event;
using Words = std::vector<std::string>;

void feed(CommandParser& parser, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto space = parser.prepare();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser.commit(count);
    bytes.remove_prefix(count);
  }
}

Words words_of(const CommandParser& parser) {
  return {parser.arguments().begin(), parser.arguments().end()};
}

// All commands in `bytes`; the last element is the error, if there is one.
std::vector<Words> parse(std::string_view bytes, ParserLimits limits = {}) {
  CommandParser parser(limits);
  feed(parser, bytes);
  std::vector<Words> commands;
  for (;;) {
    switch (parser.next()) {
      case Event::kNeedMore:
        return commands;
      case Event::kBroken:
        commands.push_back({parser.error()});
        return commands;
      case Event::kCommand:
        commands.push_back(words_of(parser));
    }
  }
}

TEST(CommandParserTest, ReadsArraysAndLines) {
  EXPECT_EQ(parse("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), (std::vector<Words>{{"GET", "k"}}));
  EXPECT_EQ(parse("*1\r\n$0\r\n\r\n"), (std::vector<Words>{{""}}));
  EXPECT_EQ(parse("PING\r\nECHO  a\tb \nQUIT\r\n"),
            (std::vector<Words>{{"PING"}, {"ECHO", "a", "b"}, {"QUIT"}}));
  EXPECT_EQ(parse("\r\n*0\r\n*-1\r\nPING\r\n"), (std::vector<Words>{{"PING"}}));
  EXPECT_EQ(parse("*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\nPING\r\n"),
            (std::vector<Words>{{"ECHO", "a\r\nb"}, {"PING"}}));
}

TEST(CommandParserTest, ReadsQuotedWordsOfALine) {
  EXPECT_EQ(parse("SET \"a b\" 'c \\' d'\r\n"), (std::vector<Words>{{"SET", "a b", "c ' d"}}));
  EXPECT_EQ(parse("SET \"\\x41\\n\\t\\\"\\\\\" ''\r\n"),
            (std::vector<Words>{{"SET", "A\n\t\"\\", ""}}));
  const std::vector<Words> unbalanced{{"Protocol error: unbalanced quotes in request"}};
  EXPECT_EQ(parse("SET \"a\r\n"), unbalanced);
  EXPECT_EQ(parse("SET 'a'b\r\n"), unbalanced);
}

TEST(CommandParserTest, NamesWhatIsWrong) {
  const auto error_of = [](std::string_view bytes, ParserLimits limits = {}) {
    const auto commands = parse(bytes, limits);
    return commands.empty() ? std::string("needs more") : commands.back().front();
  };
  const std::string bad_count = "Protocol error: invalid multibulk length";
  const std::string bad_bulk = "Protocol error: invalid bulk length";
  EXPECT_EQ(error_of("*x\r\n"), bad_count);
  EXPECT_EQ(error_of("*99999999\r\n"), bad_count);
  EXPECT_EQ(error_of("*99999999999999999999\r\n"), bad_count);
  EXPECT_EQ(error_of("*1\r\nPING\r\n"), "Protocol error: expected '$', got 'P'");
  EXPECT_EQ(error_of("*1\r\n$-1\r\n"), bad_bulk);
  EXPECT_EQ(error_of("*1\r\n$1x\r\n"), bad_bulk);
  EXPECT_EQ(error_of("*1\r\n$999999999\r\n"), bad_bulk);
  EXPECT_EQ(error_of(std::string(70'000, 'a')), "Protocol error: too big inline request");
  EXPECT_EQ(error_of("*" + std::string(70'000, '1')), "Protocol error: too big mbulk count string");
  EXPECT_EQ(error_of("*1\r\n$" + std::string(70'000, '1')),
            "Protocol error: too big bulk count string");
  ParserLimits small;
  small.command_bytes_max = 1000;
  EXPECT_EQ(error_of("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\n", small),
            "Protocol error: too big command");
  const ParserLimits stranger = CommandParser::stranger_limits();
  EXPECT_EQ(error_of("*11\r\n", stranger), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error_of("*1\r\n$16385\r\n", stranger), "Protocol error: unauthenticated bulk length");
  EXPECT_EQ(error_of("*10\r\n$16384\r\n", stranger), "needs more");
}

TEST(CommandParserTest, GivesTheSameHoweverTheBytesAreCut) {
  std::string bytes;
  std::vector<Words> expected;
  for (int i = 0; i < 50; ++i) {
    const std::string value(static_cast<std::size_t>(i * i * 7), static_cast<char>('a' + i % 26));
    expected.push_back({"SET", "key" + std::to_string(i), value});
    bytes += "*3\r\n$3\r\nSET\r\n$" + std::to_string(expected.back()[1].size()) + "\r\n" +
             expected.back()[1] + "\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
    if (i % 3 == 0) {
      bytes += "PING \"a b\"\r\n";
      expected.push_back({"PING", "a b"});
    }
  }
  std::mt19937 chance(1);
  for (int round = 0; round < 50; ++round) {
    CommandParser parser(ParserLimits{});
    std::vector<Words> commands;
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const std::size_t size =
          std::min<std::size_t>(rest.size(), 1 + chance() % (1U << (round % 12)));
      feed(parser, rest.substr(0, size));
      rest.remove_prefix(size);
      while (parser.next() == Event::kCommand) {
        if (chance() % 4 == 0) {  // it comes again
          parser.put_back();
          ASSERT_EQ(parser.next(), Event::kCommand);
        }
        commands.push_back(words_of(parser));
      }
    }
    ASSERT_EQ(commands, expected) << "round " << round;
    EXPECT_FALSE(parser.in_command());
  }
}

TEST(CommandParserTest, DoesNotTakeMemoryForWhatIsOnlyAnnounced) {
  CommandParser parser(ParserLimits{});
  feed(parser, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$30000000\r\nabc");
  EXPECT_EQ(parser.next(), Event::kNeedMore);
  EXPECT_LE(parser.buffer_bytes(), 16U * 1024);
  EXPECT_TRUE(parser.in_command());
}

TEST(CommandParserTest, GivesBackTheMemoryOfALargeCommand) {
  CommandParser parser(ParserLimits{});
  const std::string value(5'000'000, 'v');
  feed(parser, "*2\r\n$4\r\nECHO\r\n$5000000\r\n" + value + "\r\n");
  ASSERT_EQ(parser.next(), Event::kCommand);
  EXPECT_EQ(parser.arguments()[1], value);
  EXPECT_EQ(parser.next(), Event::kNeedMore);
  (void)parser.prepare();
  EXPECT_LE(parser.buffer_bytes(), 64U * 1024);
}

}  // namespace
}  // namespace edged::redis
