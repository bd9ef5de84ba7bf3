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

TEST_F(ConfigTest, ChecksTheAddressOfTheNodesWorker) {
  const auto with = [this](const std::string& address, const std::string& more) {
    return complaints(
        load("{ \"node\": { \"worker_http\": \"" + address + "\"" + more + " } }", Scope::kNode));
  };
  const std::string secret = ", \"worker_secret\": \"s\"";
  for (const char* good :
       {"", "127.0.0.1:4783", "[::1]:1", "https://w.example", "https://w.example:8443/"}) {
    EXPECT_EQ(with(good, secret), "") << good;
  }
  for (const char* bad : {"127.0.0.1:0",
                          "127.0.0.1",
                          "here",
                          "http://127.0.0.1:4783",
                          "https://",
                          "https://u:p@w",
                          "https://w/x",
                          "https://w?x",
                          "https://w#x",
                          "https://w w"}) {
    EXPECT_NE(with(bad, secret).find("is neither HOST:PORT nor https://HOST"), std::string::npos)
        << bad;
  }
  EXPECT_NE(with("w.example:4783", secret).find("is not a loopback address, and the secret"),
            std::string::npos);
  request_.overrides.insecure = true;
  EXPECT_EQ(with("w.example:4783", secret), "");
  EXPECT_NE(with("127.0.0.1:4783", "").find("needs node.worker_secret"), std::string::npos);
  const std::string path = write("secret", "s3cret\n");
  const std::string file = ", \"worker_secret_file\": \"" + path + "\"";
  EXPECT_EQ(with("127.0.0.1:4783", file), "");
  EXPECT_NE(with("127.0.0.1:4783", file + secret).find("exclude each other"), std::string::npos);
}

TEST_F(ConfigTest, ANodeKnowsTheWorkerOfItsFile) {
  const auto found = [this](const std::string& text) {
    const Loaded loaded = load(text, Scope::kNode);
    EXPECT_EQ(complaints(loaded), "");
    const auto worker = worker_of_node(loaded.config);
    return worker ? worker->url + " " + worker->secret + " " + worker->secret_file + " " +
                        worker->file_key
                  : "none";
  };
  EXPECT_EQ(found("{}"), "none");
  EXPECT_EQ(found(R"({ "worker": { "queue_secret": "${UNSET}" } })"), "none");
  EXPECT_EQ(found(R"({ "worker": { "queue_secret": "q" } })"),
            "http://127.0.0.1:4783 q  worker.queue_secret_file");
  EXPECT_EQ(found(R"({ "worker": { "queue_secret_file": "/q", "http": "[::1]:9" } })"),
            "http://[::1]:9  /q worker.queue_secret_file");
  EXPECT_EQ(found(R"({ "worker": { "queue_secret": "q", "roles": ["cron"] } })"), "none");
  EXPECT_EQ(found(R"({ "worker": { "queue_secret": "q", "http": "127.0.0.1:0" } })"), "none");
  EXPECT_EQ(found(R"({ "worker": { "queue_secret": "q", "http": "nowhere" } })"), "none");
  EXPECT_EQ(found(R"({ "node": { "worker_secret": "n" } })"),
            "http://127.0.0.1:4783 n  node.worker_secret_file");
  EXPECT_EQ(found(R"({ "node": { "worker_http": "https://w.example/", "worker_secret": "n" },
                       "worker": { "queue_secret": "q" } })"),
            "https://w.example n  node.worker_secret_file");
  EXPECT_EQ(found(R"({ "node": { "worker_http": "127.0.0.1:7" },
                       "worker": { "queue_secret": "q", "http": "127.0.0.1:9" } })"),
            "http://127.0.0.1:7 q  worker.queue_secret_file");
  request_.overrides.worker_http = "127.0.0.1:5";
  EXPECT_EQ(found(R"({ "worker": { "queue_secret": "q" } })"),
            "http://127.0.0.1:5 q  worker.queue_secret_file");
}

}  // namespace
}  // namespace edged::config
