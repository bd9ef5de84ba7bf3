// SPDX-License-Identifier: Apache-2.0
// What the binding face answers while the node has too much to do: 429, and a reason that a Worker
// sees.
#include "tests/kvstore/http/binding_fixture.h"
#include "tests/kvstore/http/busy_writer.h"

namespace edged::kv_http {
namespace {

class BindingBusyTest : public BindingFixture {
 protected:
  BindingBusyTest() {
    limits_.write_bytes_max = BusyWriter::kWriteBytesMax;
    limits_.streams_max = 0;
  }
};

TEST_F(BindingBusyTest, WritesWaitForTheirTurnElsewhere) {
  const std::string value(BusyWriter::kWriteBytesMax / 2, 'v');
  {
    const BusyWriter busy(*operations_, ns_);
    EXPECT_EQ(put("k", value).status,
              "429 could not write: the memory limit of writes under way is reached");
    EXPECT_EQ(get("k").status, "404 Not Found");  // reads go on
  }
  EXPECT_EQ(put("k", value).status, "200 OK");
  EXPECT_EQ(get("k").body, value);
}

TEST_F(BindingBusyTest, TooManyValuesAreReadInPieces) {
  const std::string large(300'000, 'l');
  EXPECT_EQ(put("large", large).status, "200 OK");
  EXPECT_EQ(get("large").status,
            "429 could not read value: too many values are being read in pieces");
}

}  // namespace
}  // namespace edged::kv_http
