// SPDX-License-Identifier: Apache-2.0
#include "kvstore/operations/operations.h"

#include <gtest/gtest.h>

#include "tests/kvstore/operations/operations_fixture.h"

namespace edged::operations {
namespace {

using storage::ListRequest;

class OperationsTest : public OperationsFixture {};

std::string large_value(std::size_t bytes) {
  std::string value;
  value.reserve(bytes);
  for (std::size_t i = 0; value.size() < bytes; ++i) value += std::to_string(i) + ",";
  value.resize(bytes);
  return value;
}

TEST_F(OperationsTest, ReadsWhatWasWritten) {
  storage::Put put = put_of("key", "value");
  put.metadata = R"({"a":1})";
  put.ttl = std::chrono::seconds(60);
  EXPECT_EQ(write_one(anybody(), put), Code::kOk);
  const auto entry = get(anybody(), "key");
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(entry->value, "value");
  EXPECT_EQ(entry->metadata, R"({"a":1})");
  EXPECT_TRUE(entry->expires_at);
  EXPECT_EQ(get(anybody(), "absent").code(), Code::kNotFound);
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(get(anybody(), "key").code(), Code::kNotFound);
  EXPECT_EQ(get_in(4711, anybody(), "key").code(), Code::kNamespaceNotFound);
}

TEST_F(OperationsTest, RefusesKeysThatCannotExist) {
  for (const std::string& key : {std::string(), std::string(513, 'k')}) {
    EXPECT_EQ(get(anybody(), key).code(), Code::kInvalidArgument);
    EXPECT_EQ(open_value(anybody(), key).code(), Code::kInvalidArgument);
    EXPECT_EQ(get_many(anybody(), {"a", key}).code(), Code::kInvalidArgument);
    EXPECT_EQ(begin_upload(anybody(), key).code(), Code::kInvalidArgument);
    EXPECT_NE(write_one(anybody(), put_of(key, "v")), Code::kOk);
  }
  const std::string longest(512, '\xFF');
  EXPECT_EQ(write_one(anybody(), put_of(longest, "")), Code::kOk);
  EXPECT_EQ(get(anybody(), longest)->value, "");
}

TEST_F(OperationsTest, LargeValuesGoThroughInPiecesBothWays) {
  const std::string value = large_value(3 * 1024 * 1024 + 17);
  {
    const auto upload = begin_upload(anybody(), "large");
    ASSERT_TRUE(upload) << upload.error().to_string();
    for (std::size_t at = 0; at < value.size(); at += 100'000) {
      ASSERT_EQ(append(**upload, value.substr(at, 100'000)), Code::kOk);
    }
    storage::Put put;
    put.key = "another key, which is not used";
    put.metadata = "7";
    const auto written = put_upload(**upload, put);
    ASSERT_TRUE(written);
    EXPECT_EQ(written->code, Code::kOk) << written->message;
  }
  EXPECT_EQ(get(anybody(), "large", value.size() - 1).code(), Code::kTooLarge);
  EXPECT_TRUE(get(anybody(), "large", value.size())->value == value);
  const auto stream = open_value(anybody(), "large");
  ASSERT_TRUE(stream) << stream.error().to_string();
  EXPECT_EQ((*stream)->value_bytes(), value.size());
  EXPECT_EQ((*stream)->entry().metadata, "7");
  EXPECT_EQ(write_one(anybody(), put_of("large", "small")), Code::kOk);  // not what was opened
  std::string read_back;
  for (;;) {
    const auto piece = read(**stream);
    ASSERT_TRUE(piece) << piece.error().to_string();
    EXPECT_LE(piece->size(), 256U * 1024);
    if (piece->empty()) break;
    read_back += *piece;
  }
  EXPECT_TRUE(read_back == value);
  EXPECT_EQ(get(anybody(), "large")->value, "small");
}

TEST_F(OperationsTest, AnUploadThatIsTooLargeOrGivenUpLeavesNothing) {
  {
    const auto upload = begin_upload(anybody(), "key");
    ASSERT_TRUE(upload);
    const std::string piece(5 * 1024 * 1024, 'x');
    for (int i = 0; i < 5; ++i) ASSERT_EQ(append(**upload, piece), Code::kOk);
    EXPECT_EQ(append(**upload, "one byte more"), Code::kTooLarge);
    EXPECT_EQ(append(**upload, "again"), Code::kTooLarge);
    EXPECT_EQ(put_upload(**upload).code(), Code::kTooLarge);
    const auto given_up = begin_upload(anybody(), "other");
    ASSERT_TRUE(given_up);
    ASSERT_EQ(append(**given_up, "piece"), Code::kOk);
  }
  operations_.reset();
  EXPECT_EQ(store_->stats().uploads, 0U);
  EXPECT_EQ(get_code("key"), Code::kNotFound);
  EXPECT_EQ(get_code("other"), Code::kNotFound);
}

TEST_F(OperationsTest, AnEmptyUploadIsAnEmptyValue) {
  const auto upload = begin_upload(anybody(), "empty");
  ASSERT_TRUE(upload);
  EXPECT_EQ(put_upload(**upload)->code, Code::kOk);
  EXPECT_EQ(get(anybody(), "empty")->value, "");
  const auto stream = open_value(anybody(), "empty");
  EXPECT_EQ(*read(**stream), "");
}

TEST_F(OperationsTest, AnUploadsPutHasConditions) {
  EXPECT_EQ(write_one(anybody(), put_of("key", "old")), Code::kOk);
  const auto upload = begin_upload(anybody(), "key");
  ASSERT_EQ(append(**upload, "new"), Code::kOk);
  storage::Put put;
  put.condition = storage::Condition::kAbsent;
  EXPECT_EQ(put_upload(**upload, put)->code, Code::kExists);
  EXPECT_EQ(get(anybody(), "key")->value, "old");
}

TEST_F(OperationsTest, ReadsManyKeysWithinABound) {
  EXPECT_EQ(write_one(anybody(), put_of("a", "1234")), Code::kOk);
  EXPECT_EQ(write_one(anybody(), put_of("b", large_value(100'000))), Code::kOk);
  const auto entries = get_many(anybody(), {"b", "none", "a", "a"});
  ASSERT_TRUE(entries) << entries.error().to_string();
  ASSERT_EQ(entries->size(), 4U);
  EXPECT_EQ((*entries)[0]->value.size(), 100'000U);
  EXPECT_EQ((*entries)[1].code(), Code::kNotFound);
  EXPECT_EQ((*entries)[3]->value, "1234");
  EXPECT_TRUE(get_many(anybody(), {"b", "a"}, 100'004));
  EXPECT_EQ(get_many(anybody(), {"b", "a"}, 100'003).code(), Code::kTooLarge);
  EXPECT_EQ(get_many(anybody(), {"a", "b"}, 100'003).code(), Code::kTooLarge);
  EXPECT_EQ(get_many(anybody(), {}).code(), Code::kInvalidArgument);
  EXPECT_TRUE(get_many(anybody(), std::vector<std::string>(1000, "a")));
  EXPECT_EQ(get_many(anybody(), std::vector<std::string>(1001, "a")).code(),
            Code::kInvalidArgument);
}

TEST_F(OperationsTest, ListsPagesWithAndWithoutValues) {
  const std::string nearly_half(512 * 1024 - 2, 'v');  // of 1 MiB, with a key of two bytes half
  for (const char* key : {"a1", "a2", "a3", "b"}) {
    EXPECT_EQ(write_one(anybody(), put_of(key, nearly_half)), Code::kOk);
  }
  const auto keys = list(anybody(), "a");
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->items.size(), 3U);
  EXPECT_EQ(keys->items[0].entry.value, "");
  ListRequest request;
  request.with_values = true;
  request.prefix = "a";
  const auto page = list(anybody(), request);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->items.size(), 2U);  // 1 MiB with their keys
  EXPECT_FALSE(page->complete);
  EXPECT_EQ(page->items[1].entry.value, nearly_half);
  request.start_after = page->next_after;
  EXPECT_EQ(list(anybody(), request)->items.at(0).key, "a3");
  EXPECT_EQ(write_one(anybody(), put_of("a0", std::string(1024 * 1024 + 1, 'x'))), Code::kOk);
  request.start_after.clear();
  const auto large = list(anybody(), request);
  ASSERT_EQ(large->items.size(), 1U);
  EXPECT_EQ(large->items[0].value_bytes, 1024U * 1024 + 1);
  EXPECT_EQ(large->items[0].entry.value, "");
  EXPECT_FALSE(large->complete);
  request.limit = 0;
  EXPECT_EQ(list(anybody(), request).code(), Code::kInvalidArgument);
}

TEST_F(OperationsTest, ChangesNamespaces) {
  const auto made = wait_for<storage::Namespace>(
      [&](auto done) { operations_->create_namespace(anybody(), "made", "", done); });
  ASSERT_TRUE(made) << made.error().to_string();
  const auto code_of = [](auto start) { return wait_for<Nothing>(start).code(); };
  EXPECT_EQ(operations_->find_namespace(anybody(), "made")->id, made->id);
  EXPECT_EQ(operations_->namespaces(anybody())->size(), 2U);
  EXPECT_EQ(wait_for<storage::Namespace>([&](auto done) {
              operations_->create_namespace(anybody(), "made", "", done);
            }).code(),
            Code::kExists);
  EXPECT_EQ(code_of([&](auto done) {
              operations_->rename_namespace(anybody(), made->number, "renamed", done);
            }),
            Code::kOk);
  EXPECT_EQ(operations_->find_namespace(anybody(), "made").code(), Code::kNamespaceNotFound);
  EXPECT_EQ(operations_->find_namespace(anybody(), made->id)->title, "renamed");
  EXPECT_EQ(write_one(anybody(), put_of("key", "v")), Code::kOk);
  EXPECT_EQ(code_of([&](auto done) { operations_->clear_namespace(anybody(), ns_, done); }),
            Code::kOk);
  EXPECT_EQ(get(anybody(), "key").code(), Code::kNotFound);
  for (const Code expected : {Code::kOk, Code::kNamespaceNotFound}) {
    EXPECT_EQ(
        code_of([&](auto done) { operations_->delete_namespace(anybody(), made->number, done); }),
        expected);
  }
}

TEST_F(OperationsTest, CountsByFaceAndClass) {
  EXPECT_EQ(write_one(anybody(), put_of("key", "v")), Code::kOk);
  EXPECT_TRUE(get(anybody(), "key"));
  EXPECT_EQ(get(anybody(), "absent").code(), Code::kNotFound);
  EXPECT_EQ(get(anybody(), "").code(), Code::kInvalidArgument);
  const auto upload = begin_upload(anybody(), "uploaded");
  EXPECT_EQ(put_upload(**upload)->code, Code::kOk);
  operations_->stop();  // what was answered is counted
  const std::string page = registry_->render();
  for (const char* line :
       {"edged_kv_requests_total{face=\"rest\",opcode=\"get\",class=\"answered\"} 2\n",
        "edged_kv_requests_total{face=\"rest\",opcode=\"get\",class=\"invalid\"} 1\n",
        "edged_kv_requests_total{face=\"rest\",opcode=\"put\",class=\"answered\"} 2\n",
        "edged_kv_requests_total{face=\"binding\",opcode=\"get\",class=\"answered\"} 0\n",
        "edged_kv_keys_total{face=\"rest\",result=\"hit\"} 1\n",
        "edged_kv_keys_total{face=\"rest\",result=\"miss\"} 1\n",
        "edged_kv_request_seconds_count{face=\"rest\"} 5\n"}) {
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  }
}

}  // namespace
}  // namespace edged::operations
