// SPDX-License-Identifier: Apache-2.0
// The addresses of the configuration.
#include "tools/edged/config_addresses.h"

#include <gtest/gtest.h>

#include "tests/tools/config_fixture.h"

namespace edged::config {
namespace {

TEST(AddressTest, TellsLoopbackFromTheRest) {
  struct Case {
    const char* address;
    bool valid, loopback;
  };
  const Case cases[] = {
      {"127.0.0.1:4780", true, true},
      {"127.8.8.8:0", true, true},
      {"localhost:1", true, true},
      {"[::1]:65535", true, true},
      {"0.0.0.0:1", true, false},
      {"[::]:1", true, false},
      {"127.evil.example:1", true, false},
      {"example.org:443", true, false},
      {"127.0.0.1", false, false},
      {"127.0.0.1:", false, false},
      {"127.0.0.1:65536", false, false},
      {"127.0.0.1:8x", false, false},
      {"127.0.0.1:+80", false, false},
      {"127.0.0.1: 80", false, false},
      {"127.0.0.1:080", false, false},
      {"127.0.0.1:0x50", false, false},
      {"127.0.0.1:-1", false, false},
      {"127.0.0.1:4294967376", false, false},
      {":80", false, false},
      {"::1:80", false, false},
      {"", false, false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.address);
    EXPECT_EQ(is_host_port(one.address), one.valid);
    if (one.valid) {
      EXPECT_EQ(is_loopback(one.address), one.loopback);
    }
  }
}

TEST_F(ConfigTest, ChecksTheAddressOfTheBinding) {
  const auto with = [this](const std::string& binding) {
    return complaints(load("{ \"node\": { \"binding\": \"" + binding + "\" } }", Scope::kNode));
  };
  for (const char* good : {"", "off", "127.0.0.1:0", "[::1]:4782", "unix:/run/b.sock"}) {
    EXPECT_EQ(with(good), "") << good;
  }
  EXPECT_NE(with("0.0.0.0:80").find("node.binding: \"0.0.0.0:80\" is not a loopback address"),
            std::string::npos);
  EXPECT_NE(with("tls:127.0.0.1:80").find("needs a certificate"), std::string::npos);
  EXPECT_NE(with("unix:").find("has no path behind \"unix:\""), std::string::npos);
  EXPECT_NE(with("unix:" + std::string(108, 'p')).find("is longer than"), std::string::npos);
  EXPECT_NE(with("here").find("is not HOST:PORT"), std::string::npos);
}

}  // namespace
}  // namespace edged::config
