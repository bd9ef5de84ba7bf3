// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/kvctl/bulk_entry.h"
#include "tools/kvctl/bulk_reader.h"

namespace edged::kvctl {
namespace {

namespace json = boost::json;
using std::chrono::seconds;
using testing::HasSubstr;

struct Reading {
  std::vector<net::PutItem> items;
  Status status;
};

// Gives the text to a reader in pieces of this size.
Reading read(const std::string& text, std::size_t piece_bytes = 1 << 20) {
  Reading reading;
  BulkReader reader([&](const json::value& entry) -> Status {
    auto item = read_bulk_entry(entry);
    if (!item) return item.error();
    reading.items.push_back(*std::move(item));
    return {};
  });
  for (std::size_t at = 0; at < text.size() && reading.status.ok(); at += piece_bytes) {
    reading.status = reader.feed(std::string_view(text).substr(at, piece_bytes));
  }
  if (reading.status.ok()) reading.status = reader.finish();
  return reading;
}

// One entry with these members.
Result<net::PutItem> read_one(const std::string& members) {
  return read_bulk_entry(json::parse("{" + members + "}"));
}

TEST(BulkReaderTest, ReadsArraysAndLinesCutAnywhere) {
  const std::string one = R"({"key":"a\"}","value":"[{,é"})";
  const std::string two = R"({"key":"b","value":"","metadata":{"x":[1,{}]}})";
  std::string line_feed_text = one;
  line_feed_text.append("\n").append(two).append("\n");
  for (const std::string& text : {"[" + one + "," + two + "]",
                                  "\xEF\xBB\xBF [\r\n" + one + "\n,\n" + two + "\n]\n ",
                                  line_feed_text,
                                  one + two}) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      const Reading reading = read(text, piece);
      ASSERT_TRUE(reading.status.ok()) << reading.status.message() << " in " << text;
      ASSERT_EQ(reading.items.size(), 2u) << text;
      EXPECT_EQ(reading.items[0].key, "a\"}");
      EXPECT_EQ(reading.items[0].value, "[{,é");
      EXPECT_EQ(reading.items[1].metadata, R"({"x":[1,{}]})");
    }
  }
  EXPECT_TRUE(read("[]").status.ok());
  EXPECT_TRUE(read(" [ ] ").status.ok());
}

TEST(BulkReaderTest, SaysWhereTheTextIsWrong) {
  const std::string good = R"({"key":"a","value":"1"})";
  const struct {
    std::string text;
    std::string message;
  } cases[] = {
      {"", "it is empty"},
      {"  \n", "it is empty"},
      {"[", "without the closing"},
      {"[" + good, "ends after entry 1 without the closing \"]\""},
      {"[" + good + ",", "ends after entry 1 without the closing \"]\""},
      {"[" + good + ",]", "entry 2 (line 1): found \"]\""},
      {"[" + good + " " + good + "]", "found \"{\" where \",\" or \"]\""},
      {"[" + good + "] x", "found \"x\" where nothing more"},
      {"[" + good + ",\n\"b\"]", "entry 2 (line 2): found \"\"\" where an object"},
      {"[" + good + ",\n{\"key\":}]", "entry 2 (line 2): "},
      {"[[" + good + "]]", "entry 1 (line 1): found \"[\""},
      {"[{\"key\":\"a\",", "it ends within entry 1"},
      {good + "\n{\"key\":\"b\"", "it ends within entry 2 (line 2)"},
      {"null", "found \"n\""},
      {"[{\"key\":\"\xFF\",\"value\":\"\"}]", "entry 1 (line 1): "},
      {"[{\"key\":\"\\ud800\",\"value\":\"\"}]", "entry 1 (line 1): "},
      {"[" + good + ",{\"key\":\"b\"}]", "entry 2 (line 1): \"value\" is missing"},
  };
  for (const auto& one : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
      const Reading reading = read(one.text, piece);
      EXPECT_EQ(reading.status.code(), Code::kInvalidArgument) << one.text;
      EXPECT_THAT(reading.status.message(), HasSubstr(one.message)) << one.text;
    }
  }
}

TEST(BulkReaderTest, BoundsAnEntryAndNotTheFile) {
  const std::string small = R"({"key":"k","value":"0123456789"})";
  std::uint64_t entries = 0;
  BulkReader reader(
      [&](const json::value&) {
        ++entries;
        return Status();
      },
      small.size());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(reader.feed(small).ok());
  EXPECT_EQ(entries, 1000u);
  // An entry that never ends is not waited for.
  Status status = reader.feed("{\"key\":\"");
  for (std::size_t i = 0; i < small.size() && status.ok(); ++i) status = reader.feed("k");
  EXPECT_EQ(status.code(), Code::kTooLarge);
  EXPECT_THAT(status.message(), HasSubstr("entry 1001 (line 1)"));
}

TEST(BulkEntryTest, ReadsEveryMember) {
  const auto item = read_one(
      R"("key":"k","value":"/wA=","base64":true,"metadata":{"a":1.5},"expiration":2000000000)");
  ASSERT_TRUE(item) << item.error().message();
  EXPECT_EQ(item->value, std::string("\xFF\x00", 2));
  EXPECT_EQ(item->metadata, R"({"a":1.5})");
  EXPECT_EQ(item->expires_at, WallTime(seconds(2000000000)));
  EXPECT_FALSE(item->ttl);
}

TEST(BulkEntryTest, TheTtlWins) {
  const auto item = read_one(R"("key":"k","value":"","expiration":"wrong","expiration_ttl":90.0)");
  ASSERT_TRUE(item) << item.error().message();
  EXPECT_EQ(item->ttl, seconds(90));
  EXPECT_FALSE(item->expires_at);
}

TEST(BulkEntryTest, NullMeansNotGiven) {
  const auto item = read_one(
      R"("key":"k","value":"v","base64":null,"metadata":null,"expiration":null,"expiration_ttl":null)");
  ASSERT_TRUE(item) << item.error().message();
  EXPECT_EQ(item->metadata, "");
  EXPECT_FALSE(item->ttl || item->expires_at);
}

TEST(BulkEntryTest, RefusesWhatCannotBeStored) {
  const struct {
    std::string members;
    Code code;
    std::string message;
  } cases[] = {
      {R"("value":"v")", Code::kInvalidArgument, "\"key\" is missing"},
      {R"("key":null,"value":"v")", Code::kInvalidArgument, "\"key\" is missing"},
      {R"("key":1,"value":"v")", Code::kInvalidArgument, "\"key\" is not a string"},
      {R"("key":"","value":"v")", Code::kInvalidArgument, "empty"},
      {R"("key":"k","key_base64":"aw==","value":"v")", Code::kInvalidArgument, "both"},
      {R"("key_base64":"?","value":"v")", Code::kInvalidArgument, "\"key_base64\""},
      {R"("key":"k")", Code::kInvalidArgument, "\"value\" is missing"},
      {R"("key":"k","value":1)", Code::kInvalidArgument, "\"value\" is not a string"},
      {R"("key":"k","value":"%","base64":true)", Code::kInvalidArgument, "not valid base64"},
      {R"("key":"k","value":"v","base64":"yes")", Code::kInvalidArgument, "\"base64\""},
      {R"("key":"k","value":"v","expirationTtl":60)", Code::kInvalidArgument, "\"expirationTtl\""},
      {R"("key":"k","value":"v","expiration":1.5)", Code::kInvalidArgument, "\"expiration\""},
      {R"("key":"k","value":"v","expiration":0)", Code::kInvalidArgument, "\"expiration\""},
      {R"("key":"k","value":"v","expiration":1796029178000)",
       Code::kInvalidArgument,
       "\"expiration\""},
      {R"("key":"k","value":"v","expiration":"60")", Code::kInvalidArgument, "\"expiration\""},
      {R"("key":"k","value":"v","expiration_ttl":-1)",
       Code::kInvalidArgument,
       "\"expiration_ttl\""},
      {R"("key":"k","value":"v","expiration_ttl":1e30)",
       Code::kInvalidArgument,
       "\"expiration_ttl\""},
  };
  for (const auto& one : cases) {
    const auto item = read_one(one.members);
    EXPECT_EQ(item.code(), one.code) << one.members;
    if (!item) {
      EXPECT_THAT(item.error().message(), HasSubstr(one.message)) << one.members;
    }
  }
}

TEST(BulkEntryTest, RefusesWhatIsTooLarge) {
  const std::string key(512, 'k');
  EXPECT_TRUE(read_one(R"("value":"","key":")" + key + "\""));
  EXPECT_EQ(read_one(R"("value":"","key":")" + key + "k\"").code(), Code::kTooLarge);
  const std::string metadata(1022, 'm');
  EXPECT_TRUE(read_one(R"("key":"k","value":"","metadata":")" + metadata + "\""));
  EXPECT_EQ(read_one(R"("key":"k","value":"","metadata":")" + metadata + "m\"").code(),
            Code::kTooLarge);
}

TEST(BulkEntryTest, WritesWhatItReads) {
  const struct {
    const char* name;
    std::string key, value, metadata;
  } cases[] = {
      {"plain", "k", "v", ""},
      {"empty value", "k", "", "null"},
      {"zero and quotes", std::string("a\0\"\\", 4), std::string("\0\n\x7F", 3), R"({"a":"\n"})"},
      {"beyond the plane", "😀", "\xEF\xBB\xBF\xE2\x80\xA8", R"("é😀")"},
      {"bytes", "\xFF\xFE", std::string("\x80\x00", 2), "0"},
      {"half a character", "k", "\xC3", "[]"},
  };
  for (const auto& one : cases) {
    net::KvEntry entry;
    entry.value = one.value;
    entry.metadata = one.metadata;
    BulkLosses losses;
    const std::string line = write_bulk_entry(one.key, entry, losses);
    EXPECT_EQ(line.find('\n'), std::string::npos) << one.name;
    const auto item = read_bulk_entry(json::parse(line));
    ASSERT_TRUE(item) << one.name << ": " << item.error().message() << " in " << line;
    EXPECT_EQ(item->key, one.key) << one.name;
    EXPECT_EQ(item->value, one.value) << one.name;
    // null over JSON is no metadata.
    EXPECT_EQ(item->metadata, one.metadata == "null" ? "" : one.metadata) << one.name;
    EXPECT_EQ(losses.binary_keys, one.key == "\xFF\xFE" ? 1u : 0u) << one.name;
  }
}

TEST(BulkEntryTest, WritesTheExpiryRoundedUp) {
  net::KvEntry entry;
  BulkLosses losses;
  entry.expires_at = from_unix_ms(1'800'000'000'000);
  EXPECT_THAT(write_bulk_entry("k", entry, losses), HasSubstr(R"("expiration":1800000000})"));
  entry.expires_at = from_unix_ms(1'800'000'000'001);
  EXPECT_THAT(write_bulk_entry("k", entry, losses), HasSubstr(R"("expiration":1800000001})"));
}

TEST(BulkEntryTest, KeepsTheTextOfMetadataAndCountsWhatIsNone) {
  net::KvEntry entry;
  BulkLosses losses;
  entry.metadata = R"({ "a" : 1.50 })";
  EXPECT_THAT(write_bulk_entry("k", entry, losses), HasSubstr(R"("metadata":{ "a" : 1.50 }})"));
  entry.metadata = "{\n\"a\":1}";
  EXPECT_THAT(write_bulk_entry("k", entry, losses), HasSubstr(R"("metadata":{"a":1}})"));
  std::string deep(500, '[');
  entry.metadata = deep.append(500, ']');
  EXPECT_THAT(write_bulk_entry("k", entry, losses), HasSubstr("\"metadata\":[[["));
  EXPECT_EQ(losses.bad_metadata, 0u);
  entry.metadata = "{";
  EXPECT_EQ(write_bulk_entry("k", entry, losses), R"({"key":"k","value":""})");
  EXPECT_EQ(losses.bad_metadata, 1u);
}

}  // namespace
}  // namespace edged::kvctl
