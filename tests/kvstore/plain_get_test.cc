// SPDX-License-Identifier: Apache-2.0
// A plain GET, which is answered from its frame, gets the bytes that any other GET would: each is
// asked beside the same GET with FENCE, which alone on its connection means nothing but takes the
// long way.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kvstore/server/plain_reads.h"
#include "tests/kvstore/server_fixture.h"

namespace edged::server {
namespace {

using wire::Opcode;
using wire::Request;

// All that a plain GET may have.
constexpr std::uint16_t kPlainFlags[] = {0,
                                         wire::kFlagCrc,
                                         wire::kFlagInfo,
                                         wire::kFlagMetadata,
                                         wire::kFlagInfo | wire::kFlagMetadata,
                                         wire::kFlagNoCache | wire::kFlagStaleOk,
                                         wire::kFlagCrc | wire::kFlagInfo | wire::kFlagMetadata};

class PlainGetTest : public OperationsFixture {
 protected:
  // The frames of a whole response, raw.
  std::string ask(Request request) {
    request.id = 77;
    client_->send(request);
    std::string frames;
    for (bool more = true; more;) {
      const std::string head = client_->receive(wire::kHeaderBytes);
      const auto header = wire::decode_header(head);
      if (!header) return "no response";
      frames += head + client_->receive(header->body_bytes);
      more = (header->flags & wire::kFlagMore) != 0;
    }
    return frames;
  }

  static Code status_of(const std::string& frames) {
    return static_cast<Code>(wire::decode_header(frames)->key_bytes);
  }

  // Twice each way, since the first may fill the cache. The status that all had.
  Code same_both_ways(std::string_view key, std::uint32_t ns = 1) {
    Code status = Code::kInternal;
    for (const std::uint16_t flags : kPlainFlags) {
      SCOPED_TRACE(std::string(key.substr(0, 20)) + ", flags " + std::to_string(flags));
      Request request = make(Opcode::kGet, 0, key);
      request.ns = ns;
      request.flags = flags;
      Request fenced = request;
      fenced.flags |= wire::kFlagFence;
      const std::string first = ask(request);
      const std::string slow = ask(fenced);
      EXPECT_TRUE(first == slow) << to_string(first) << " and " << to_string(slow);
      EXPECT_TRUE(ask(request) == slow);
      status = status_of(slow);
    }
    return status;
  }

  static std::string to_string(const std::string& frames) {
    return std::to_string(frames.size()) + " bytes, " + std::string(code_name(status_of(frames)));
  }

  void put_all(std::string_view key, std::string_view value, wire::Fields fields) {
    Request request = make(Opcode::kPut, 0, key, value);
    request.fields = fields;
    ASSERT_EQ(call(request).status(), Code::kOk);
  }

  void authenticate(const std::string& secret) {
    Request auth = make(Opcode::kAuth, 0, "");
    auth.fields.credential = secret;
    ASSERT_EQ(call(auth).status(), Code::kOk);
  }
};

TEST_F(PlainGetTest, EntriesOfEveryShape) {
  wire::Fields fields;
  put_all("plain", "value", fields);
  put_all("empty", "", fields);
  fields.metadata = "{\"a\":1}";
  put_all("metadata", "value", fields);
  fields.ttl_ms = 3'600'000;
  put_all("all", "value", fields);
  fields.metadata.reset();
  put_all("expires", "value", fields);
  for (const char* key : {"plain", "empty", "metadata", "all", "expires"}) {
    EXPECT_EQ(same_both_ways(key), Code::kOk);
  }
  EXPECT_EQ(same_both_ways("missing"), Code::kNotFound);
  EXPECT_EQ(same_both_ways(std::string(wire::kKeyBytesMax, 'k')), Code::kNotFound);
  EXPECT_EQ(same_both_ways(""), Code::kInvalidArgument);
  EXPECT_EQ(same_both_ways("plain", 0), Code::kNamespaceNotFound);
  EXPECT_EQ(same_both_ways("plain", 999), Code::kNamespaceNotFound);
}

TEST_F(PlainGetTest, ValuesOfEverySize) {
  // Around what the cache keeps, what a record holds itself, and what fits a frame.
  const std::size_t frame = wire::kBodyBytesMax;
  for (const std::size_t bytes : {std::size_t{4095},
                                  std::size_t{4097},
                                  std::size_t{16'384},
                                  std::size_t{65'537},
                                  frame - wire::kExtBytesMax,
                                  frame - wire::kExtBytesMax + 1}) {
    ASSERT_EQ(put("large", std::string(bytes, 'v')), Code::kOk) << bytes;
    EXPECT_EQ(same_both_ways("large"), Code::kOk) << bytes;
  }
}

TEST_F(PlainGetTest, WhatIsOverwrittenDeletedOrExpires) {
  ASSERT_EQ(put("k", "1"), Code::kOk);
  EXPECT_EQ(same_both_ways("k"), Code::kOk);
  ASSERT_EQ(put("k", "2"), Code::kOk);
  EXPECT_EQ(same_both_ways("k"), Code::kOk);
  EXPECT_EQ(get("k"), "2");
  ASSERT_EQ(call(make(Opcode::kDelete, 0, "k")).status(), Code::kOk);
  EXPECT_EQ(same_both_ways("k"), Code::kNotFound);
  wire::Fields fields;
  fields.ttl_ms = 50;
  put_all("k", "short", fields);
  (void)get("k");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(same_both_ways("k"), Code::kNotFound);
}

TEST_F(PlainGetTest, NamespacesThatChange) {
  const auto other = store_->create_namespace("other", "");
  ASSERT_TRUE(other);
  const auto change = [&](Opcode opcode) {
    Request request = make(opcode, 0, "");
    request.ns = other->number;
    request.fields.title = "renamed";
    if (opcode != Opcode::kNamespaceRename) request.fields.title.reset();
    return call(request).status();
  };
  Request put_there = make(Opcode::kPut, 0, "k", "value");
  put_there.ns = other->number;
  ASSERT_EQ(call(put_there).status(), Code::kOk);
  EXPECT_EQ(same_both_ways("k", other->number), Code::kOk);
  EXPECT_EQ(change(Opcode::kNamespaceRename), Code::kOk);
  EXPECT_EQ(same_both_ways("k", other->number), Code::kOk);
  EXPECT_EQ(change(Opcode::kNamespaceClear), Code::kOk);
  EXPECT_EQ(same_both_ways("k", other->number), Code::kNotFound);
  ASSERT_EQ(call(put_there).status(), Code::kOk);
  EXPECT_EQ(same_both_ways("k", other->number), Code::kOk);
  EXPECT_EQ(change(Opcode::kNamespaceDelete), Code::kOk);
  EXPECT_EQ(same_both_ways("k", other->number), Code::kNamespaceNotFound);
}

TEST_F(PlainGetTest, TokensAndTheirEnd) {
  ASSERT_TRUE(store_->create_namespace("other", ""));
  ASSERT_EQ(put("a/k", "value"), Code::kOk);
  EXPECT_EQ(same_both_ways("a/k"), Code::kOk);
  const auto made = access_->create({.name = "reader",
                                     .scopes = access::Scopes{access::Scope::kRead},
                                     .namespaces = {std::string(32, 'a')},
                                     .prefix = "a/"});
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(same_both_ways("a/k"), Code::kUnauthenticated);
  authenticate(made->secret);
  EXPECT_EQ(same_both_ways("a/k"), Code::kOk);
  EXPECT_EQ(same_both_ways("a/missing"), Code::kNotFound);
  EXPECT_EQ(same_both_ways("b/k"), Code::kDenied);
  EXPECT_EQ(same_both_ways("a/k", 2), Code::kDenied);
  EXPECT_EQ(same_both_ways("a/k", 99), Code::kNamespaceNotFound);
  ASSERT_TRUE(store_->rename_namespace(1, "another").ok());
  EXPECT_EQ(same_both_ways("a/k"), Code::kOk) << "its id is the same";
  ASSERT_TRUE(access_->revoke(made->token.grant.id));
  EXPECT_EQ(same_both_ways("a/k"), Code::kUnauthenticated);
}

TEST_F(PlainGetTest, TokensThatMayNotReadOrExpire) {
  ASSERT_EQ(put("k", "value"), Code::kOk);
  const auto writer =
      access_->create({.name = "writer", .scopes = access::Scopes{access::Scope::kWrite}});
  ASSERT_TRUE(writer);
  authenticate(writer->secret);
  EXPECT_EQ(same_both_ways("k"), Code::kDenied);
  const auto expires_at = clock_.wall_now() + std::chrono::seconds(3);
  const auto brief = access_->create(
      {.name = "brief", .scopes = access::Scopes{access::Scope::kRead}, .expires_at = expires_at});
  ASSERT_TRUE(brief);
  authenticate(brief->secret);
  (void)get("k");
  while (clock_.wall_now() < expires_at) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(same_both_ways("k"), Code::kUnauthenticated);
}

// Plain GETs behind writes that are under way: those of the same key must wait, the others not.
TEST_F(PlainGetTest, KeepTheirPlaceBehindWritesOfTheirKey) {
  ASSERT_EQ(put("other", "value"), Code::kOk);
  constexpr std::uint32_t kRounds = 200;
  std::string stream;
  std::vector<std::string> values;
  for (std::uint32_t i = 0; i < kRounds; ++i) values.push_back(std::to_string(i));
  for (std::uint32_t i = 0; i < kRounds; ++i) {
    wire::append_request(make(Opcode::kPut, 3 * i, "k", values[i]), stream);
    wire::append_request(make(Opcode::kGet, 3 * i + 1, "k"), stream);
    wire::append_request(make(Opcode::kGet, 3 * i + 2, "other"), stream);
  }
  ASSERT_TRUE(client_->send(stream));
  for (std::uint32_t i = 0; i < 3 * kRounds; ++i) {
    const test::RawClient::Reply reply = client_->reply();
    ASSERT_EQ(reply.status(), Code::kOk);
    const std::uint32_t id = reply.header.id;
    if (id % 3 != 0) {
      EXPECT_EQ(reply.value(), id % 3 == 1 ? values[id / 3] : "value");
    }
  }
}

// Asked of the functions themselves, so that it is certain which way was taken.
TEST_F(PlainGetTest, AnswersWithoutTheDiskWhatItMay) {
  ASSERT_EQ(put("k", "value"), Code::kOk);
  ASSERT_EQ(put("large", std::string(100'000, 'v')), Code::kOk);
  const auto plainly = [&](std::string_view key, std::uint16_t flags) {
    Request request = make(Opcode::kGet, 5, key);
    request.flags = flags;
    std::string bytes, out;
    wire::append_request(request, bytes);
    const wire::Frame frame{*wire::decode_header(bytes),
                            std::string_view(bytes).substr(wire::kHeaderBytes)};
    if (!is_plain_get(frame)) return std::string("not plain");
    storage::Entry scratch;
    const auto status = answer_plain_get(*store_, frame, wire::kBodyBytesMax, scratch, out);
    EXPECT_EQ(out.empty(), !status.has_value());
    return status ? std::string(code_name(*status)) : "not answered";
  };
  for (const std::uint16_t flags : kPlainFlags) {
    EXPECT_EQ(plainly("k", flags), "ok");
    EXPECT_EQ(plainly("missing", flags), "not_found");
  }
  for (const std::uint16_t flag : {wire::kFlagQuiet, wire::kFlagFence, wire::kFlagLease}) {
    EXPECT_EQ(plainly("k", flag), "not plain");
  }
  EXPECT_EQ(plainly("k", 0x8000), "not plain");
  EXPECT_EQ(plainly("", 0), "not plain");
}

// An MGET of keys alone beside the same with FENCE.
class PlainMultiGetTest : public PlainGetTest {
 protected:
  // The status and the number of items that all answers had; they were the same bytes.
  std::pair<Code, std::size_t> same_both_ways(const std::string& items, std::uint32_t ns = 1) {
    std::string slow;
    for (const std::uint16_t flags : {std::uint16_t{0}, wire::kFlagCrc, wire::kFlagStaleOk}) {
      Request request = make(Opcode::kMultiGet, 0, "", items);
      request.ns = ns;
      request.flags = flags;
      Request fenced = request;
      fenced.flags |= wire::kFlagFence;
      const std::string first = ask(request);
      slow = ask(fenced);
      EXPECT_TRUE(first == slow) << to_string(first) << " and " << to_string(slow);
      EXPECT_TRUE(ask(request) == slow);
    }
    const auto header = wire::decode_header(slow);
    wire::ItemReader reader(std::string_view(slow).substr(wire::kHeaderBytes + header->ext_bytes));
    std::size_t count = 0;
    wire::Item one;
    while (status_of(slow) == Code::kOk && reader.next(one)) ++count;
    return {status_of(slow), count};
  }

  static std::string items_of_keys(const std::vector<std::string>& keys) {
    std::vector<wire::Item> items;
    for (const std::string& key : keys) items.push_back(item(Opcode::kGet, key));
    return items_of(items);
  }

  using Answer = std::pair<Code, std::size_t>;
};

TEST_F(PlainMultiGetTest, EntriesOfEveryShape) {
  wire::Fields fields;
  put_all("plain", "value", fields);
  put_all("empty", "", fields);
  fields.metadata = "{\"a\":1}";
  fields.ttl_ms = 3'600'000;
  put_all("all", "value", fields);
  ASSERT_EQ(put("large", std::string(100'000, 'v')), Code::kOk);
  EXPECT_EQ(same_both_ways(items_of_keys({"plain", "missing", "empty", "all", "plain"})),
            Answer(Code::kOk, 5));
  EXPECT_EQ(same_both_ways(items_of_keys({"plain", "large", "plain"})), Answer(Code::kOk, 3));
  EXPECT_EQ(same_both_ways(items_of_keys({"plain", ""})).first, Code::kOk);
  EXPECT_EQ(same_both_ways(items_of_keys({"plain"}), 999).first, Code::kNamespaceNotFound);
  EXPECT_EQ(same_both_ways("").first, Code::kInvalidArgument);
}

TEST_F(PlainMultiGetTest, AsManyKeysAsARequestMayHave) {
  for (const std::size_t count : {31U, 32U, 33U, 64U, 250U, 1000U}) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) keys.push_back("key " + std::to_string(i % 300));
    ASSERT_EQ(put(keys[count / 2], "value " + std::to_string(count)), Code::kOk);
    EXPECT_EQ(same_both_ways(items_of_keys(keys)), Answer(Code::kOk, count));
  }
  EXPECT_EQ(same_both_ways(items_of_keys(std::vector<std::string>(1001, "k"))).first,
            Code::kTooLarge);
}

TEST_F(PlainMultiGetTest, AnAnswerThatDoesNotFitAFrameIsCut) {
  std::vector<std::string> keys;
  for (int i = 0; i < 30; ++i) {
    keys.push_back("k" + std::to_string(i));
    ASSERT_EQ(put(keys.back(), std::string(60'000, 'v')), Code::kOk);
  }
  const Answer answer = same_both_ways(items_of_keys(keys));
  EXPECT_EQ(answer.first, Code::kOk);
  EXPECT_LT(answer.second, keys.size());
}

TEST_F(PlainMultiGetTest, ItemsThatAreNotPlain) {
  ASSERT_EQ(put("k", "value"), Code::kOk);
  wire::Item elsewhere = item(Opcode::kGet, "k");
  elsewhere.fields.ns = 1;
  EXPECT_EQ(same_both_ways(items_of({item(Opcode::kGet, "k"), elsewhere})), Answer(Code::kOk, 2));
  elsewhere.fields.ns = 99;
  EXPECT_EQ(same_both_ways(items_of({elsewhere})).first, Code::kNamespaceNotFound);
  EXPECT_EQ(same_both_ways(items_of({item(Opcode::kPut, "k")})).first, Code::kInvalidArgument);
  EXPECT_EQ(same_both_ways(items_of({item(Opcode::kGet, "k", "v")})).first, Code::kInvalidArgument);
  const std::string cut = items_of({item(Opcode::kGet, "k"), item(Opcode::kGet, "key")});
  EXPECT_EQ(same_both_ways(cut.substr(0, cut.size() - 1)).first, Code::kBadFrame);
}

TEST_F(PlainMultiGetTest, BehindAWriteOfOneOfItsKeys) {
  constexpr std::uint32_t kRounds = 100;
  std::string stream;
  const std::string items = items_of_keys({"other", "k"});
  std::vector<std::string> values;
  for (std::uint32_t i = 0; i < kRounds; ++i) values.push_back(std::to_string(i));
  for (std::uint32_t i = 0; i < kRounds; ++i) {
    wire::append_request(make(Opcode::kPut, 2 * i, "k", values[i]), stream);
    wire::append_request(make(Opcode::kMultiGet, 2 * i + 1, "", items), stream);
  }
  ASSERT_TRUE(client_->send(stream));
  for (std::uint32_t i = 0; i < 2 * kRounds; ++i) {
    const test::RawClient::Reply reply = client_->reply();
    ASSERT_EQ(reply.status(), Code::kOk);
    if (reply.header.id % 2 == 0) continue;
    const std::vector<wire::Item> got = reply.items();
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[1].value, values[reply.header.id / 2]);
  }
}

// Asked of the function itself, so that it is certain which way was taken.
TEST_F(PlainMultiGetTest, IsAnsweredFromMemory) {
  ASSERT_EQ(put("k", "value"), Code::kOk);
  const auto plainly = [&](const std::string& items, std::uint16_t flags) {
    Request request = make(Opcode::kMultiGet, 5, "", items);
    request.flags = flags;
    operations::KeyCounts counts;
    std::string out = "before";
    const auto status = answer_plain_multi_get(
        *store_, request, reply_to(request, wire::kBodyBytesMax), counts, out);
    EXPECT_EQ(out == "before", !status.has_value());
    EXPECT_EQ(counts.hits + counts.misses > 0, status.has_value());
    return status.has_value();
  };
  EXPECT_TRUE(plainly(items_of_keys({"k", "missing"}), 0));
  EXPECT_FALSE(plainly(items_of_keys({"k"}), wire::kFlagInfo));
  EXPECT_FALSE(plainly(items_of_keys({"k"}), wire::kFlagQuiet));
  EXPECT_FALSE(plainly("", 0));
}

}  // namespace
}  // namespace edged::server
