// SPDX-License-Identifier: Apache-2.0
// The replication stream's messages as tables of named bytes, whole, cut off anywhere and with a
// byte too many.
#include "worker/mirror/pgoutput.h"

#include <gtest/gtest.h>

#include "proto/base/hex.h"

namespace edged::mirror {
namespace {

std::string bytes(const std::string& hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  return from_hex(digits).value();
}

std::string describe(const Row& row) {
  std::string text;
  for (const ColumnValue& value : row) {
    text += text.empty() ? "" : ",";
    text += static_cast<char>(value.kind);
    text += value.bytes;
  }
  return text;
}

std::string describe(const OldRow& old) {
  return (old.whole ? "whole " : "key ") + describe(old.row);
}

struct Describe {
  std::string operator()(const Begin& one) const {
    return "begin " + to_text(one.final_lsn) + " " + format_rfc3339(one.committed_at) + " " +
           std::to_string(one.xid);
  }
  std::string operator()(const Commit& one) const {
    return "commit " + to_text(one.lsn) + " " + to_text(one.end_lsn) + " " +
           format_rfc3339(one.committed_at);
  }
  std::string operator()(const Origin& one) const {
    return "origin " + to_text(one.lsn) + " " + std::string(one.name);
  }
  std::string operator()(const Relation& one) const {
    std::string text = "relation " + std::to_string(one.id) + " " + std::string(one.schema) + "." +
                       std::string(one.name) + " " + static_cast<char>(one.identity);
    for (const RelationColumn& column : one.columns) {
      text += " " + std::string(column.name) + (column.key ? "*" : "") + ":" +
              std::to_string(column.type) + ":" + std::to_string(column.modifier);
    }
    return text;
  }
  std::string operator()(const Type& one) const {
    return "type " + std::to_string(one.id) + " " + std::string(one.schema) + "." +
           std::string(one.name);
  }
  std::string operator()(const Insert& one) const {
    return "insert " + std::to_string(one.relation) + " " + describe(one.row);
  }
  std::string operator()(const Update& one) const {
    return "update " + std::to_string(one.relation) + " " +
           (one.old ? describe(*one.old) + " to " : "") + describe(one.row);
  }
  std::string operator()(const Delete& one) const {
    return "delete " + std::to_string(one.relation) + " " + describe(one.old);
  }
  std::string operator()(const Truncate& one) const {
    std::string text = "truncate";
    for (const std::uint32_t relation : one.relations) text += " " + std::to_string(relation);
    return text + (one.cascade ? " cascade" : "") + (one.restart_identity ? " restart" : "");
  }
  std::string operator()(const LogicalMessage& one) const {
    return std::string("message ") + (one.transactional ? "transactional " : "") +
           to_text(one.lsn) + " " + std::string(one.prefix) + " " + std::string(one.content);
  }
};

struct Named {
  const char* name;
  const char* hex;
  const char* meaning;
};

constexpr Named kMessages[] = {
    {"begin",
     "42 00000000 01524c88 00029fd9 c2fb0f40 000002e1",
     "begin 0/1524C88 2023-05-29T20:33:01.374Z 737"},
    {"commit",
     "43 00 00000016 b374d848 00000016 b374d880 00000000 00000000",
     "commit 16/B374D848 16/B374D880 2000-01-01T00:00:00.000Z"},
    {"origin", "4f 00000000 00000010 65617374 00", "origin 0/10 east"},
    {"relation",
     "52 00004001 7075626c696300 6300 64 0002 01 696400 00000017 ffffffff 00 7600 00000413 "
     "00000104",
     "relation 16385 public.c d id*:23:-1 v:1043:260"},
    {"relation in pg_catalog", "52 00000001 00 6100 66 0000", "relation 1 .a f"},
    {"type", "59 00004002 7000 6d6f6f6400", "type 16386 p.mood"},
    {"insert",
     "49 00004001 4e 0003 74 00000001 31 6e 62 00000002 aabb",
     "insert 16385 t1,n,b\xaa\xbb"},
    {"insert of nothing", "49 00004001 4e 0000", "insert 16385 "},
    {"update", "55 00004001 4e 0002 74 00000001 31 75", "update 16385 t1,u"},
    {"update of the key",
     "55 00004001 4b 0002 74 00000001 31 6e 4e 0002 74 00000001 32 74 00000000",
     "update 16385 key t1,n to t2,t"},
    {"update of all", "55 00004001 4f 0001 6e 4e 0001 6e", "update 16385 whole n to n"},
    {"delete", "44 00004001 4b 0001 74 00000001 31", "delete 16385 key t1"},
    {"delete of all", "44 00004001 4f 0001 6e", "delete 16385 whole n"},
    {"truncate", "54 00000002 03 00000001 00000002", "truncate 1 2 cascade restart"},
    {"message", "4d 01 00000000 00000020 6200 00000002 6869", "message transactional 0/20 b hi"},
    {"message outside", "4d 00 00000000 00000020 00 00000000", "message 0/20  "},
};

TEST(PgoutputTest, ReadsEachMessage) {
  for (const Named& one : kMessages) {
    const std::string all = bytes(one.hex);
    const Result<Message> message = decode_message(all);
    ASSERT_TRUE(message) << one.name << ": " << message.error().to_string();
    EXPECT_EQ(std::visit(Describe(), *message), one.meaning) << one.name;
  }
}

TEST(PgoutputTest, RefusesWhatIsCutOffOrTooLong) {
  for (const Named& one : kMessages) {
    const std::string all = bytes(one.hex);
    for (std::size_t length = 0; length < all.size(); ++length) {
      EXPECT_EQ(decode_message(std::string(all, 0, length)).code(), Code::kBadFrame)
          << one.name << " cut to " << length;
    }
    EXPECT_EQ(decode_message(all + '\0').code(), Code::kBadFrame) << one.name;
  }
}

TEST(PgoutputTest, RefusesWhatItDoesNotKnow) {
  const Named cases[] = {
      {"an unknown type", "5a", "unknown type 90"},
      {"a row of another kind", "49 00004001 4f 0000", "an insert without a new row"},
      {"an old row of another kind", "44 00004001 4e 0000", "another kind than K and O"},
      {"two old rows", "55 00004001 4b 0000 4b 0000", "an update without a new row"},
      {"a column of another kind", "49 00004001 4e 0001 78", "a column of kind x"},
      {"a replica identity", "52 00000001 00 6100 78 0000", "replica identity x"},
      {"a huge column", "49 00004001 4e 0001 74 ffffffff 31", "cut off"},
      {"many columns", "49 00004001 4e ffff 6e", "cut off"},
      {"many relations", "54 ffffffff 00 00000001", "cut off"},
      {"a name without an end", "4f 00000000 00000010 65", "cut off"},
  };
  for (const Named& one : cases) {
    const std::string all = bytes(one.hex);
    const Result<Message> message = decode_message(all);
    ASSERT_EQ(message.code(), Code::kBadFrame) << one.name;
    EXPECT_NE(message.error().message().find(one.meaning), std::string::npos)
        << one.name << ": " << message.error().message();
  }
}

TEST(PgoutputTest, ReadsFrames) {
  const std::string data = bytes("77 00000000 00000010 00000000 00000020 00029fd9 c2fb0f40 4f");
  const auto frame = decode_stream_frame(data);
  ASSERT_TRUE(frame) << frame.error().to_string();
  const WalData& wal = std::get<WalData>(*frame);
  EXPECT_EQ(wal.start, 0x10u);
  EXPECT_EQ(wal.end, 0x20u);
  EXPECT_EQ(wal.message, "O");
  EXPECT_EQ(format_rfc3339(wal.sent_at), "2023-05-29T20:33:01.374Z");
  const std::string keepalive = bytes("6b 00000000 00000030 00000000 00000000 01");
  const auto beat = decode_stream_frame(keepalive);
  ASSERT_TRUE(beat);
  EXPECT_EQ(std::get<Keepalive>(*beat).end, 0x30u);
  EXPECT_TRUE(std::get<Keepalive>(*beat).wants_reply);
  for (const std::string& whole : {std::string(data, 0, 25), keepalive}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(decode_stream_frame(std::string(whole, 0, length)).code(), Code::kBadFrame);
    }
  }
  EXPECT_EQ(decode_stream_frame(keepalive + '\0').code(), Code::kBadFrame);
  EXPECT_EQ(decode_stream_frame("x").code(), Code::kBadFrame);
}

TEST(PgoutputTest, WritesStatusUpdates) {
  const WallTime now = from_unix_ms(946'684'800'001);
  EXPECT_EQ(encode_status_update(0x20, 0x10, now, true),
            bytes("72 0000000000000020 0000000000000010 0000000000000010 00000000000003e8 01"));
}

TEST(PgoutputTest, ReadsAndWritesPositions) {
  for (const char* text : {"0/0", "0/1", "16/B374D848", "FFFFFFFF/FFFFFFFF"}) {
    const auto lsn = parse_lsn(text);
    ASSERT_TRUE(lsn) << text;
    EXPECT_EQ(to_text(*lsn), text);
  }
  for (const char* text :
       {"", "/", "0", "1/", "/1", "1/2/3", "G/0", "0/-1", "100000000/0", " 0/0"}) {
    EXPECT_EQ(parse_lsn(text).code(), Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace edged::mirror
