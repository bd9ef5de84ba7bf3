// SPDX-License-Identifier: Apache-2.0
// TLS between client and node: who is believed, what is refused, and certificates replaced while
// the node serves.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "proto/net/blocking_client.h"
#include "tests/kvstore/server_fixture.h"
#include "tests/support/certificate.h"

namespace edged::server {
namespace {

using namespace std::chrono_literals;
using net::BlockingClient;
using net::ServerTls;
using test::CertificateFiles;
using test::make_certificate;

class TlsTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    files_ = make_certificate(dir_.path(), "node");
    auto tls = ServerTls::load({files_.certificate, files_.key});
    ASSERT_TRUE(tls) << tls.error().to_string();
    tls_ = *tls;
    start({}, tls_);
  }

  std::unique_ptr<BlockingClient> client(std::string trusted, std::string address = {}) {
    net::ClientOptions options;
    options.connect_timeout = std::chrono::seconds(30);
    options.call_timeout = std::chrono::seconds(60);
    options.address = address.empty() ? address_ : std::move(address);
    options.tls_ca_file = std::move(trusted);
    return std::make_unique<BlockingClient>(options);
  }
  void expect_refused(BlockingClient& client, const std::string& why) {
    const Status answer = client.ping();
    EXPECT_FALSE(answer.ok());
    EXPECT_NE(answer.message().find(why), std::string::npos) << answer.message();
  }
  std::string localhost() const { return "tls:localhost" + address_.substr(address_.rfind(':')); }
  std::uint64_t failed_handshakes() const {
    const std::string page = registry_->render();
    const std::string name = "edged_tls_handshake_failures_total{face=\"binary\"} ";
    return std::stoull(page.substr(page.find(name) + name.size()));
  }

  CertificateFiles files_;
  std::shared_ptr<ServerTls> tls_;
};

TEST_F(TlsTest, ServesByAddressAndByName) {
  EXPECT_EQ(address_.rfind("tls:127.0.0.1:", 0), 0u) << address_;
  EXPECT_TRUE(client(files_.certificate)->ping().ok());
  EXPECT_TRUE(client(files_.certificate, localhost())->ping().ok());
  EXPECT_EQ(failed_handshakes(), 0u);
}

TEST_F(TlsTest, RefusesWhomNobodyTrustedVouchesFor) {
  expect_refused(*client(""), "certificate is refused: self-signed certificate");
  const CertificateFiles other = make_certificate(dir_.path(), "other");
  expect_refused(*client(other.certificate), "certificate is refused");
  EXPECT_GT(failed_handshakes(), 0u);
}

TEST_F(TlsTest, RefusesACertificateForAnotherName) {
  const CertificateFiles named = make_certificate(dir_.path(), "named", "DNS:kv.example.org");
  start({}, *ServerTls::load({named.certificate, named.key}));
  expect_refused(*client(named.certificate), "IP address mismatch");
  expect_refused(*client(named.certificate, localhost()), "hostname mismatch");
}

TEST_F(TlsTest, TellsAPlainClientAndAPlainServer) {
  expect_refused(*client("", address_.substr(4)), "if the node speaks TLS");
  start({});
  expect_refused(*client(files_.certificate, "tls:" + address_), "TLS handshake failed");
}

TEST_F(TlsTest, AReloadedCertificateServesNewConnectionsOnly) {
  const auto before = client(files_.certificate);
  ASSERT_TRUE(before->ping().ok());
  const CertificateFiles next = make_certificate(dir_.path(), "next");
  std::filesystem::rename(next.certificate, files_.certificate);
  std::filesystem::rename(next.key, files_.key);
  ASSERT_TRUE(client(files_.certificate)->ping().code() == Code::kUnavailable) << "not yet in use";
  ASSERT_TRUE(tls_->reload().ok());
  EXPECT_TRUE(before->ping().ok()) << "its connection goes on";
  EXPECT_TRUE(client(files_.certificate)->ping().ok());
}

TEST_F(TlsTest, WhatCannotBeReloadedChangesNothing) {
  const auto expires = tls_->expires_at();
  std::ofstream(files_.certificate + ".keep") << std::ifstream(files_.certificate).rdbuf();
  std::ofstream(files_.certificate) << "-----BEGIN CERTIFICATE-----\nrubbish\n";
  const Status reloaded = tls_->reload();
  EXPECT_EQ(reloaded.code(), Code::kInvalidArgument);
  EXPECT_NE(reloaded.message().find(files_.certificate), std::string::npos) << reloaded.message();
  EXPECT_EQ(tls_->expires_at(), expires);
  EXPECT_TRUE(client(files_.certificate + ".keep")->ping().ok());
}

TEST_F(TlsTest, NamesWhatIsWrongWithTheFiles) {
  const std::string nowhere = dir_.path() + "/nowhere.pem";
  const CertificateFiles other = make_certificate(dir_.path(), "other");
  const CertificateFiles open = make_certificate(dir_.path(), "open");
  ASSERT_EQ(::chmod(open.key.c_str(), 0644), 0);
  const struct {
    ServerTls::Files files;
    Code code;
    const char* says;
  } cases[] = {
      {{nowhere, files_.key}, Code::kInvalidArgument, "No such file"},
      {{files_.certificate, nowhere}, Code::kInvalidArgument, "No such file"},
      {{files_.certificate, ""}, Code::kInvalidArgument, "no file is named"},
      {{files_.certificate, dir_.path()}, Code::kInvalidArgument, "it is not a file"},
      {{files_.key, files_.key}, Code::kInvalidArgument, "no start line"},
      {{files_.certificate, other.key}, Code::kInvalidArgument, "key values mismatch"},
      {{open.certificate, open.key}, Code::kDenied, "chmod o-rwx"},
  };
  for (const auto& one : cases) {
    const auto loaded = ServerTls::load(one.files);
    EXPECT_EQ(loaded.code(), one.code) << one.says;
    EXPECT_NE(loaded.error().message().find(one.says), std::string::npos)
        << loaded.error().message();
  }
}

TEST_F(TlsTest, ASilentHandshakeIsCut) {
  Limits limits;
  limits.hello_timeout = 50ms;
  start(limits, tls_);
  test::RawClient silent(address_.substr(4), false);
  EXPECT_TRUE(silent.ended());
}

TEST_F(TlsTest, BytesThatAreNotTlsEndTheConnection) {
  std::string record_too_long(70'000, 'x');
  record_too_long.replace(0, 5, "\x16\x03\x01\xff\xff");  // a header of a handshake record
  for (const std::string& bytes :
       {std::string("KVB1 and more"), std::string(100'000, '\0'), record_too_long}) {
    test::RawClient rude(address_.substr(4), false);
    rude.send(bytes);
    rude.receive(1000);  // an alert
    EXPECT_TRUE(rude.ended());
  }
  EXPECT_TRUE(client(files_.certificate)->ping().ok());
}

TEST_F(TlsTest, AnAddressWithTlsNeedsACertificate) {
  ServerOptions options;
  options.listen = {"tls:127.0.0.1:0"};
  MetricsRegistry registry;
  Server server(options, *store_, clock_, registry);
  const Status started = server.start();
  EXPECT_EQ(started.code(), Code::kInvalidArgument);
  EXPECT_NE(started.message().find("needs a certificate"), std::string::npos) << started.message();
}

}  // namespace
}  // namespace edged::server
