// SPDX-License-Identifier: Apache-2.0
// The parts of the load generator (tools/bench/load_*) that do no I/O: what it asks, and that it
// does not take a wrong answer for a right one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "proto/wire/frame.h"
#include "proto/wire/message.h"
#include "tools/bench/latencies.h"
#include "tools/bench/load_dialect.h"

namespace edged::bench {
namespace {

constexpr std::size_t kValueBytes = 40;

std::string value_of(std::uint64_t key, std::size_t bytes = kValueBytes) {
  std::string value;
  Values(bytes).append(key, value);
  return value;
}

std::string bulk(std::string_view text) {
  std::string out = "$";
  out += std::to_string(text.size());
  out += "\r\n";
  out += text;
  out += "\r\n";
  return out;
}

// The keys 0, 1, ... in order, so that the test knows what is asked.
Keys in_order(bool put = false) {
  KeysOptions options;
  options.sweep = true;
  options.put_percent = put ? 100 : 0;
  return Keys(options);
}

DialectOptions options_of(Work work, std::size_t items) {
  DialectOptions options;
  options.work = work;
  options.items = items;
  options.value_bytes = kValueBytes;
  return options;
}

// What the dialect finds at the front of the bytes when they arrive one by one; 0 if it finds it
// before all of them are there.
std::size_t cut_bytewise(const Dialect& dialect, const std::string& bytes) {
  Scan scan;
  for (std::size_t count = 1; count < bytes.size(); ++count) {
    const Answer answer = dialect.cut(std::string_view(bytes).substr(0, count), scan);
    if (answer.bytes != 0 || answer.broken) return 0;
  }
  return dialect.cut(bytes, scan).bytes;
}

TEST(Values, FollowFromTheKey) {
  const Values values(kValueBytes);
  EXPECT_TRUE(values.matches(7, value_of(7)));
  EXPECT_FALSE(values.matches(8, value_of(7)));
  EXPECT_FALSE(values.matches(7, value_of(7).substr(1)));
  std::string changed = value_of(7);
  changed.back() ^= 1;
  EXPECT_FALSE(values.matches(7, changed));
  for (const std::size_t bytes : {0, 1, 15, 16, 17, 1 << 20}) {
    EXPECT_EQ(value_of(3, bytes).size(), bytes);
    EXPECT_TRUE(Values(bytes).matches(3, value_of(3, bytes)));
  }
}

TEST(Values, KeyIsReadBack) {
  EXPECT_EQ(key_text(1234), "section:000000001234");
  EXPECT_EQ(key_number(key_text(kKeysMax - 1)), kKeysMax - 1);
  EXPECT_EQ(key_number("section:00000000123"), std::nullopt);
  EXPECT_EQ(key_number("section:00000000123x"), std::nullopt);
}

TEST(Keys, SweepGivesEachOnce) {
  KeysOptions options;
  options.sweep = true;
  options.keys = 5;
  options.first = 2;
  Keys keys(options);
  std::vector<std::uint64_t> found;
  while (!keys.exhausted()) found.push_back(keys.key(keys.take(1), 0));
  EXPECT_EQ(found, (std::vector<std::uint64_t>{2, 3, 4}));
}

TEST(Keys, UniformDrawsReachEveryKeyAndNoOther) {
  for (const std::uint64_t count : {1, 2, 3, 1000}) {
    KeysOptions options;
    options.keys = count;
    options.draws = 20'000;
    Keys keys(options);
    std::set<std::uint64_t> found;
    for (std::size_t i = 0; i < options.draws; ++i) found.insert(keys.key(keys.take(1), 0));
    EXPECT_EQ(found.size(), count);
    EXPECT_EQ(*found.rbegin(), count - 1);
  }
}

TEST(Keys, ZipfFollowsTheLaw) {
  KeysOptions options;
  options.keys = 1000;
  options.zipf = 0.99;
  options.draws = 400'000;
  options.put_percent = 5;
  Keys keys(options);
  std::map<std::uint64_t, double> counts;
  double puts = 0;
  for (std::size_t i = 0; i < options.draws; ++i) {
    const auto operation = keys.take(1);
    counts[keys.key(operation, 0)] += 1;
    puts += operation.put ? 1 : 0;
  }
  std::vector<double> sorted;
  for (const auto& [key, count] : counts) sorted.push_back(count);
  std::sort(sorted.rbegin(), sorted.rend());
  double sum = 0;
  for (int rank = 1; rank <= 1000; ++rank) sum += std::pow(rank, -0.99);
  const double draws = static_cast<double>(options.draws);
  EXPECT_NEAR(sorted[0] / draws, 1 / sum, 0.005);
  EXPECT_NEAR(sorted[9] / draws, std::pow(10, -0.99) / sum, 0.002);
  EXPECT_NEAR(puts / draws, 0.05, 0.003);
}

TEST(Latencies, QuantilesAreNearAndNeverAboveTheLargest) {
  Latencies latencies;
  EXPECT_EQ(latencies.quantile(0.5), 0u);
  for (std::uint64_t i = 1; i <= 100'000; ++i) latencies.add(i * 1000);
  EXPECT_NEAR(static_cast<double>(latencies.quantile(0.5)), 50e6, 50e6 / 100);
  EXPECT_NEAR(static_cast<double>(latencies.quantile(0.999)), 99.9e6, 99.9e6 / 100);
  EXPECT_EQ(latencies.quantile(1), latencies.max());
  latencies.add(~std::uint64_t{0});
  EXPECT_EQ(latencies.quantile(1), ~std::uint64_t{0});
}

TEST(RespDialect, JudgesEachSortOfAnswer) {
  const Keys keys = in_order();
  const auto one = resp_dialect(options_of(Work::kKeys, 1), keys);
  std::string asked;
  Exchange exchange;
  exchange.operation = {3, false};
  one->ask(exchange, 0, asked);
  std::string expected = "*2\r\n";
  expected += bulk("GET");
  expected += bulk(key_text(3));
  EXPECT_EQ(asked, expected);
  const std::pair<std::string, Verdict> cases[] = {{bulk(value_of(3)), Verdict::kRight},
                                                   {bulk(value_of(4)), Verdict::kWrong},
                                                   {"$-1\r\n", Verdict::kWrong},
                                                   {"-ERR no\r\n", Verdict::kWrong},
                                                   {"+OK\r\n", Verdict::kWrong},
                                                   {"*0\r\n", Verdict::kWrong}};
  for (const auto& [answer, verdict] : cases) {
    EXPECT_EQ(cut_bytewise(*one, answer), answer.size()) << answer;
    EXPECT_EQ(one->judge(answer, exchange), verdict) << answer;
  }
  Scan scan;
  EXPECT_TRUE(one->cut("hello\r\n", scan).broken);
}

TEST(RespDialect, WantsEveryValueOfAMultiGet) {
  const Keys keys = in_order();
  const auto many = resp_dialect(options_of(Work::kMultiGet, 2), keys);
  Exchange exchange;
  exchange.operation = {5, false};
  std::string answer = "*2\r\n";
  answer += bulk(value_of(5));
  const std::string half = answer;
  answer += bulk(value_of(6));
  EXPECT_EQ(cut_bytewise(*many, answer), answer.size());
  EXPECT_EQ(many->judge(answer, exchange), Verdict::kRight);
  EXPECT_EQ(exchange.items, 2u);
  EXPECT_EQ(many->judge(half + "$-1\r\n", exchange), Verdict::kWrong);
  EXPECT_EQ(many->judge("*1\r\n" + bulk(value_of(5)), exchange), Verdict::kWrong);
}

TEST(RespDialect, AsksForTheValuesOfAScan) {
  const Keys keys = in_order();
  const auto pages = resp_dialect(options_of(Work::kList, 2), keys);
  Exchange exchange;
  std::string scanned = "*2\r\n";
  scanned += bulk("17");
  scanned += "*1\r\n";
  scanned += bulk(key_text(9));
  EXPECT_EQ(cut_bytewise(*pages, scanned), scanned.size());
  ASSERT_EQ(pages->judge(scanned, exchange), Verdict::kMore);
  EXPECT_EQ(exchange.cursor, "17");
  std::string more = "*2\r\n";
  more += bulk("MGET");
  more += bulk(key_text(9));
  EXPECT_EQ(exchange.more, more);
  EXPECT_EQ(pages->judge("*1\r\n" + bulk(value_of(9)), exchange), Verdict::kRight);
  EXPECT_EQ(exchange.items, 1u);
  exchange.more = more;
  EXPECT_EQ(pages->judge("*1\r\n" + bulk(value_of(8)), exchange), Verdict::kWrong);
}

// The node's answer to a request.
std::string answer_of(wire::Opcode opcode, std::uint32_t id, Code status, std::string_view value) {
  wire::Response response;
  response.opcode = opcode;
  response.id = id;
  response.status = status;
  response.value = value;
  std::string out;
  wire::append_response(response, out);
  return out;
}

TEST(KvbDialect, JudgesEachSortOfAnswer) {
  const Keys keys = in_order();
  const auto one = kvb_dialect(options_of(Work::kKeys, 1), keys);
  Exchange exchange;
  exchange.operation = {3, false};
  const std::string right = answer_of(wire::Opcode::kGet, 9, Code::kOk, value_of(3));
  EXPECT_EQ(cut_bytewise(*one, right), right.size());
  Scan scan;
  EXPECT_EQ(one->cut(right, scan).id, 9u);
  EXPECT_EQ(one->judge(right, exchange), Verdict::kRight);
  EXPECT_EQ(one->judge(answer_of(wire::Opcode::kGet, 9, Code::kOk, value_of(4)), exchange),
            Verdict::kWrong);
  EXPECT_EQ(one->judge(answer_of(wire::Opcode::kGet, 9, Code::kNotFound, {}), exchange),
            Verdict::kWrong);
  EXPECT_TRUE(one->cut(std::string(24, 'x'), scan).broken);
}

TEST(KvbDialect, AsksWhatTheNodeReads) {
  const Keys keys = in_order(/*put=*/true);
  DialectOptions options = options_of(Work::kKeys, 1);
  options.ttl_ms = 5000;
  options.sync = true;
  options.ns = 4;
  const auto dialect = kvb_dialect(options, keys);
  Exchange exchange;
  exchange.operation = {12, true};
  std::string asked;
  dialect->ask(exchange, 77, asked);
  wire::FrameReader reader(wire::FrameReader::Peer::kClient, wire::kBodyBytesMax);
  reader.feed(asked);
  ASSERT_EQ(reader.next(), wire::FrameReader::Event::kFrame);
  const auto request = wire::decode_request(reader.frame());
  ASSERT_TRUE(request);
  EXPECT_EQ(request->opcode, wire::Opcode::kPut);
  EXPECT_EQ(request->flags, wire::kFlagSync);
  EXPECT_EQ(request->id, 77u);
  EXPECT_EQ(request->ns, 4u);
  EXPECT_EQ(request->fields.ttl_ms, 5000u);
  EXPECT_EQ(request->key, key_text(12));
  EXPECT_EQ(request->value, value_of(12));
}

TEST(KvbDialect, VerifiesEveryItem) {
  const Keys keys = in_order();
  const auto answer_with = [](wire::Opcode opcode, std::initializer_list<std::uint64_t> numbers) {
    std::string items;
    for (const std::uint64_t number : numbers) {
      const std::string key = key_text(number), value = value_of(number);
      wire::Item item;
      if (opcode == wire::Opcode::kList) item.key = key;
      item.value = value;
      wire::append_item(item, items);
    }
    return answer_of(opcode, 1, Code::kOk, items);
  };
  const auto many = kvb_dialect(options_of(Work::kMultiGet, 2), keys);
  Exchange exchange;
  exchange.operation = {5, false};
  EXPECT_EQ(many->judge(answer_with(wire::Opcode::kMultiGet, {5, 6}), exchange), Verdict::kRight);
  EXPECT_EQ(many->judge(answer_with(wire::Opcode::kMultiGet, {5, 7}), exchange), Verdict::kWrong);
  EXPECT_EQ(many->judge(answer_with(wire::Opcode::kMultiGet, {5}), exchange), Verdict::kWrong);
  EXPECT_EQ(many->judge(answer_with(wire::Opcode::kMultiGet, {5, 6, 7}), exchange),
            Verdict::kWrong);
  const auto pages = kvb_dialect(options_of(Work::kList, 2), keys);
  EXPECT_EQ(pages->judge(answer_with(wire::Opcode::kList, {1, 8}), exchange), Verdict::kRight);
  EXPECT_EQ(exchange.items, 2u);
  EXPECT_EQ(pages->judge(answer_with(wire::Opcode::kList, {}), exchange), Verdict::kWrong);
}

TEST(EchoDialect, SaysHowManyBytesItWantsBack) {
  const Keys keys = in_order();
  const auto echo = echo_dialect(options_of(Work::kKeys, 1), keys);
  Exchange exchange;
  std::string asked;
  echo->ask(exchange, 0, asked);
  std::uint32_t sizes[2];
  std::memcpy(sizes, asked.data(), sizeof sizes);
  EXPECT_EQ(sizes[0], asked.size());
  EXPECT_EQ(sizes[1], wire::kHeaderBytes + kValueBytes);
  std::string answer(sizes[1], 'x');
  std::memcpy(answer.data(), &sizes[1], sizeof sizes[1]);
  EXPECT_EQ(cut_bytewise(*echo, answer), answer.size());
  EXPECT_EQ(echo->judge(answer, exchange), Verdict::kRight);
  Scan scan;
  EXPECT_TRUE(echo->cut(std::string(8, '\0'), scan).broken);
}

}  // namespace
}  // namespace edged::bench
