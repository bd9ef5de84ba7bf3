// SPDX-License-Identifier: Apache-2.0
// What the REST face answers while the node has too much to do: 429, with a time to come again.
#include "tests/kvstore/http/busy_writer.h"
#include "tests/kvstore/http/rest_fixture.h"

namespace edged::kv_http {
namespace {

class RestBusyTest : public RestFixture {
 protected:
  RestBusyTest() {
    limits_.write_bytes_max = BusyWriter::kWriteBytesMax;
    limits_.streams_max = 0;
  }

  void expect_busy(const Answer& answer, const std::string& error) {
    EXPECT_EQ(answer.error(), error);
    EXPECT_EQ(answer.reason, "Too Many Requests");
    ASSERT_TRUE(answer.headers.contains("retry-after"));
    EXPECT_EQ(answer.headers.at("retry-after"), "1");
  }
};

TEST_F(RestBusyTest, WritesWaitForTheirTurnElsewhere) {
  const std::string value(BusyWriter::kWriteBytesMax / 2, 'v');
  const std::string bulk = R"([{"key":"b","value":")" + value + "\"}]";
  {
    const BusyWriter busy(*operations_, ns_);
    expect_busy(put_value("k", value), "429 10022 put: 'too many requests'");
    expect_busy(request("PUT", in_ns("/bulk"), bulk), "429 10022 bulk put: 'too many requests'");
    EXPECT_EQ(get(value_path("k")).status, 404);  // reads go on
  }
  EXPECT_EQ(put_value("k", value).status, 200);
  EXPECT_EQ(request("PUT", in_ns("/bulk"), bulk).status, 200);
  EXPECT_EQ(get(value_path("first")).body, get(value_path("second")).body);
}

TEST_F(RestBusyTest, TooManyValuesAreReadInPieces) {
  const std::string small(1000, 's'), large(300'000, 'l');
  EXPECT_EQ(put_value("small", small).status, 200);
  EXPECT_EQ(put_value("large", large).status, 200);
  expect_busy(get(value_path("large")), "429 10022 get: 'too many requests'");
  EXPECT_EQ(get(value_path("small")).body, small);
}

}  // namespace
}  // namespace edged::kv_http
