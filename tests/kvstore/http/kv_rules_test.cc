// SPDX-License-Identifier: Apache-2.0
// Every text and limit by which the two Cloudflare faces refuse, at and beside each bound.
#include "kvstore/http/kv_rules.h"

#include <gtest/gtest.h>

namespace edged::kv_http {
namespace {

// 2023-11-14T22:13:20.500Z
const WallTime kNow = from_unix_ms(1'700'000'000'500);

std::string text(const Check& check) {
  return check ? check->text : "";
}

template <typename T>
std::string text(const Checked<T>& checked) {
  const auto* refusal = std::get_if<Refusal>(&checked);
  return refusal == nullptr ? "" : refusal->text;
}

TEST(KvRulesTest, ChecksKeys) {
  EXPECT_EQ(check_key(""), (Refusal{400, 10042, "Key names must not be empty"}));
  EXPECT_EQ(check_key("."),
            (Refusal{400, 10042, "Illegal key name \".\". Please use a different name."}));
  EXPECT_EQ(check_key(".."),
            (Refusal{400, 10042, "Illegal key name \"..\". Please use a different name."}));
  EXPECT_EQ(check_key("..."), std::nullopt);
  EXPECT_EQ(check_key(std::string(512, 'k')), std::nullopt);
  EXPECT_EQ(check_key(std::string(513, 'k')),
            (Refusal{414, 10030, "UTF-8 encoded length of 513 exceeds key length limit of 512."}));
  std::string wide;
  for (int i = 0; i < 171; ++i) wide += "\u20AC";
  EXPECT_EQ(text(check_key(wide)), "UTF-8 encoded length of 513 exceeds key length limit of 512.");
  EXPECT_EQ(text(check_key("\xFF")), "Could not URL-decode key name");
  for (const char* key : {"/", "//a", "%", "#?", " ", "\x01\x7F", "\U0001F600", "../x"}) {
    EXPECT_EQ(check_key(key), std::nullopt) << key;
  }
}

TEST(KvRulesTest, DecodesAKeyOnce) {
  EXPECT_EQ(std::get<std::string>(decode_key("a%2Fb")), "a/b");
  EXPECT_EQ(std::get<std::string>(decode_key("%2525")), "%25");
  EXPECT_EQ(std::get<std::string>(decode_key("a+b%2B")), "a+b+");
  EXPECT_EQ(std::get<std::string>(decode_key("..%2Fx")), "../x");
  EXPECT_EQ(std::get<std::string>(decode_key("%00")), std::string(1, '\0'));
  EXPECT_EQ(std::get<std::string>(decode_key("[]|^!$&'()*,;=:@")), "[]|^!$&'()*,;=:@");
  for (const char* segment : {"%", "%4", "%GG", "a%2", "%FF", "%C3%28"}) {
    EXPECT_EQ(text(decode_key(segment)), "Could not URL-decode key name") << segment;
  }
  EXPECT_EQ(text(decode_key("%2E")), "Illegal key name \".\". Please use a different name.");
  EXPECT_EQ(text(decode_key("")), "Key names must not be empty");
}

TEST(KvRulesTest, ChecksPrefixes) {
  EXPECT_EQ(check_prefix(""), std::nullopt);
  EXPECT_EQ(check_prefix("."), std::nullopt);
  EXPECT_EQ(check_prefix(std::string(512, 'k')), std::nullopt);
  EXPECT_EQ(check_prefix(std::string(513, 'k')),
            (Refusal{414, 10030, "UTF-8 encoded length of 513 exceeds key length limit of 512."}));
  EXPECT_EQ(text(check_prefix("\xC3")), "Could not URL-decode key name");
}

TEST(KvRulesTest, TakesATimeToLive) {
  const auto parse = [](std::string_view ttl) { return parse_expiry(std::nullopt, ttl, kNow); };
  EXPECT_EQ(std::get<Expiry>(parse("60")), (Expiry{std::nullopt, std::chrono::seconds(60)}));
  EXPECT_EQ(std::get<Expiry>(parse("2147483647")),
            (Expiry{std::nullopt, std::chrono::seconds(2147483647)}));
  EXPECT_EQ(
      std::get<Refusal>(parse("30")),
      (Refusal{400, 10034, "Invalid expiration_ttl of 30. Expiration TTL must be at least 60."}));
  EXPECT_EQ(text(parse("59")), "Invalid expiration_ttl of 59. Expiration TTL must be at least 60.");
  for (const char* ttl : {"0", "-1", "", "x", "60.5", "1e3", "+60", " 60", "0x60", "060"}) {
    std::string expected = "Invalid expiration_ttl of ";
    expected.append(ttl).append(". Please specify integer greater than 0.");
    EXPECT_EQ(text(parse(ttl)), expected);
  }
  for (const char* ttl : {"5558118400", "99999999999999999999999"}) {
    std::string expected = "Invalid expiration_ttl of ";
    expected.append(ttl).append(". Entries must expire before the year 2200.");
    EXPECT_EQ(text(parse(ttl)), expected);
  }
}

TEST(KvRulesTest, TakesAnExpiration) {
  const auto parse = [](std::string_view at) { return parse_expiry(at, std::nullopt, kNow); };
  EXPECT_EQ(std::get<Expiry>(parse("1700000060")),
            (Expiry{from_unix_ms(1'700'000'060'000), std::nullopt}));
  EXPECT_EQ(std::get<Refusal>(parse("1700000059")),
            (Refusal{400,
                     10033,
                     "Invalid expiration of 1700000059. Expiration times must be at least 60 "
                     "seconds in the future."}));
  for (const char* at : {"1", "0", "-5", "x", "", "1700000000", "1700000100.5"}) {
    std::string expected = "Invalid expiration of ";
    expected.append(at).append(
        ". Please specify integer greater than the current number of seconds since the UNIX "
        "epoch.");
    EXPECT_EQ(text(parse(at)), expected);
  }
  EXPECT_EQ(text(parse("7258118400")),
            "Invalid expiration of 7258118400. Entries must expire before the year 2200.");
  EXPECT_EQ(
      text(parse("99999999999999999999")),
      "Invalid expiration of 99999999999999999999. Entries must expire before the year 2200.");
}

TEST(KvRulesTest, TheTimeToLiveWins) {
  EXPECT_EQ(std::get<Expiry>(parse_expiry("1", "60", kNow)),
            (Expiry{std::nullopt, std::chrono::seconds(60)}));
  EXPECT_EQ(text(parse_expiry("1700000060", "59", kNow)),
            "Invalid expiration_ttl of 59. Expiration TTL must be at least 60.");
  EXPECT_EQ(std::get<Expiry>(parse_expiry(std::nullopt, std::nullopt, kNow)), Expiry{});
}

TEST(KvRulesTest, ChecksSizes) {
  EXPECT_EQ(check_metadata_bytes(1024), std::nullopt);
  EXPECT_EQ(check_metadata_bytes(1025),
            (Refusal{413, 10047, "Metadata length of 1025 exceeds limit of 1024."}));
  EXPECT_EQ(check_value_bytes(26214400), std::nullopt);
  EXPECT_EQ(check_value_bytes(26214401),
            (Refusal{413, 10024, "Value length of 26214401 exceeds limit of 26214400."}));
}

TEST(KvRulesTest, ChecksCacheTtl) {
  EXPECT_EQ(check_cache_ttl("30"), std::nullopt);
  EXPECT_EQ(check_cache_ttl("99999999999999999999"), std::nullopt);
  for (const char* ttl : {"29", "10", "0", "-30", "", "x", "30s"}) {
    std::string expected = "Invalid cache_ttl of ";
    expected.append(ttl).append(". Cache TTL must be at least 30.");
    EXPECT_EQ(text(check_cache_ttl(ttl)), expected);
  }
}

TEST(KvRulesTest, TakesAListLimit) {
  EXPECT_EQ(std::get<std::uint32_t>(parse_list_limit("1")), 1u);
  EXPECT_EQ(std::get<std::uint32_t>(parse_list_limit("1000")), 1000u);
  for (const char* limit : {"0", "-1", "", "x", "1.5"}) {
    std::string expected = "Invalid key_count_limit of ";
    expected.append(limit).append(". Please specify an integer greater than 0.");
    EXPECT_EQ(text(parse_list_limit(limit)), expected);
  }
  for (const char* limit : {"1001", "99999999999999999999"}) {
    std::string expected = "Invalid key_count_limit of ";
    expected.append(limit).append(". Please specify an integer less than 1000.");
    EXPECT_EQ(text(parse_list_limit(limit)), expected);
  }
}

TEST(KvRulesTest, ChecksBulkReads) {
  EXPECT_EQ(text(check_bulk_read_keys(0)), "You must request a minimum of 1 key");
  EXPECT_EQ(check_bulk_read_keys(1), std::nullopt);
  EXPECT_EQ(check_bulk_read_keys(100), std::nullopt);
  EXPECT_EQ(text(check_bulk_read_keys(101)), "You can request a maximum of 100 keys");
  EXPECT_EQ(check_bulk_read_type("json"), std::nullopt);
  EXPECT_EQ(check_bulk_read_type("text"), std::nullopt);
  EXPECT_EQ(text(check_bulk_read_type("stream")),
            "\"stream\" is not a valid type. Use \"json\" or \"text\"");
  EXPECT_EQ(bulk_read_not_json().text,
            "At least one of the requested keys corresponds to a non-json value");
  EXPECT_EQ(bulk_read_not_text().text,
            "At least one of the requested keys corresponds to a non-text value");
  EXPECT_EQ(bulk_read_too_large().status, 413);
  EXPECT_EQ(bulk_read_too_large().text, "Total size of request exceeds the limit of 25MB");
}

TEST(KvRulesTest, RoundsAnExpirationUp) {
  EXPECT_EQ(expiration_seconds(from_unix_ms(1'700'000'000'000)), 1'700'000'000);
  EXPECT_EQ(expiration_seconds(from_unix_ms(1'700'000'000'001)), 1'700'000'001);
}

}  // namespace
}  // namespace edged::kv_http
