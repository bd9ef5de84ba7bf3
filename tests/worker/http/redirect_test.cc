// SPDX-License-Identifier: Apache-2.0
// An upstream that sends its askers elsewhere. Loopback addresses alone.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <optional>

#include "tests/support/run_awaitable.h"
#include "tests/support/scripted_http_server.h"
#include "worker/http/http_client.h"
#include "worker/http/redirect_rule.h"

namespace edged::http {
namespace {

using test::ScriptedAnswer;
using test::ScriptedHttpServer;
using test::ScriptedRequest;

TEST(RedirectRuleTest, StaysAtTheHostAndPortOfTheRequest) {
  const RedirectRule rule("http://user:pw@Up.example:8080/scrape", {});
  for (const char* location : {"/moved",
                               "moved?x=1",
                               "?x",
                               "//up.example:8080/x",
                               "http://UP.EXAMPLE.:8080/",
                               "http://other@up.example:8080/x"}) {
    EXPECT_TRUE(rule.check("http://up.example:8080/scrape", location).ok()) << location;
  }
  for (const char* location : {"http://up.example/",
                               "http://up.example:8081/",
                               "https://up.example:443/",
                               "//evil.example/x",
                               "http://up.example.evil.example:8080/",
                               "http://up.example:8080@127.0.0.1/",
                               "http://169.254.169.254/latest/meta-data/",
                               "http://127.0.0.1:8080/",
                               "http://[::1]:8080/",
                               "http://localhost:8080/",
                               "file:///etc/passwd"}) {
    EXPECT_EQ(rule.check("http://up.example:8080/scrape", location).code(), Code::kDenied)
        << location;
  }
}

TEST(RedirectRuleTest, MayGoFromHttpToHttpsOfOneHost) {
  EXPECT_TRUE(RedirectRule("http://up.example/", {})
                  .check("http://up.example/", "https://up.example/")
                  .ok());
  EXPECT_EQ(RedirectRule("https://up.example/", {})
                .check("https://up.example/", "http://up.example/")
                .code(),
            Code::kDenied);
}

TEST(RedirectRuleTest, GoesWhereTheConfigurationAllows) {
  const RedirectRule rule("https://up.example/", {"cdn.example", "other.example:8443", "[::1]:80"});
  for (const char* location : {"https://cdn.example/",
                               "https://CDN.example:444/",
                               "https://other.example:8443/",
                               "http://[::1]/"}) {
    EXPECT_TRUE(rule.check("https://up.example/", location).ok()) << location;
  }
  for (const char* location :
       {"https://other.example/", "https://x.cdn.example/", "http://[::1]:81/"}) {
    EXPECT_EQ(rule.check("https://up.example/", location).code(), Code::kDenied) << location;
  }
}

TEST(RedirectRuleTest, JudgesTheAddressThatCurlWouldUse) {
  const RedirectRule rule("http://up.example/", {});
  for (const char* location :
       {"http://0x7f.1/", "http://2130706433/", "http:\\\\127.0.0.1/", "http:///127.0.0.1/"}) {
    EXPECT_FALSE(rule.check("http://up.example/", location).ok()) << location;
  }
}

TEST(RedirectRuleTest, ItsMessageShowsNoPassword) {
  const Status refused =
      RedirectRule("http://up.example/", {})
          .check("http://up.example/", "http://user:hunter2@127.0.0.1:81/p?token=hunter3");
  EXPECT_EQ(refused.message(),
            "it redirects to another server, http://127.0.0.1:81, which upstream.redirects does "
            "not allow");
}

class RedirectTest : public ::testing::Test {
 protected:
  Result<HttpAnswer> post(const std::string& url, std::vector<std::string> redirect_hosts = {}) {
    HttpClientOptions options;
    options.redirect_hosts = std::move(redirect_hosts);
    HttpClient client(io_.get_executor(), options);
    HttpRequest request;
    request.method = "POST";
    request.url = url + "/scrape";
    request.headers = {{"Authorization", "Bearer secret"}};
    request.body = "the body";
    return test::run_awaitable(io_, client.perform(std::move(request)));
  }
  // Port of the server that is not to be asked, on another name of this machine.
  static std::string elsewhere(const ScriptedHttpServer& server, const std::string& host) {
    return "http://" + host + server.url().substr(server.url().rfind(':'));
  }

  boost::asio::io_context io_{1};
};

TEST_F(RedirectTest, NothingIsSentToAnotherServer) {
  ScriptedHttpServer other([](const ScriptedRequest&) { return ScriptedAnswer{200, "internal"}; });
  for (const std::string& target :
       {other.url(), elsewhere(other, "localhost"), elsewhere(other, "[::ffff:127.0.0.1]")}) {
    for (const int status : {300, 301, 302, 303, 307, 308}) {
      ScriptedHttpServer server([&](const ScriptedRequest&) {
        return ScriptedAnswer{status, "", {{"LOCATION", target + "/admin"}}};
      });
      const auto answer = post(server.url());
      ASSERT_FALSE(answer) << status << " " << target;
      EXPECT_EQ(answer.code(), Code::kCorruption);
      EXPECT_NE(answer.error().message().find("upstream.redirects"), std::string::npos)
          << answer.error().message();
    }
  }
  EXPECT_EQ(other.connections(), 0u);
}

TEST_F(RedirectTest, NotEvenByWayOfTheUpstreamsOwnHost) {
  ScriptedHttpServer other([](const ScriptedRequest&) { return ScriptedAnswer{200, "internal"}; });
  ScriptedHttpServer server([&](const ScriptedRequest& request) {
    return ScriptedAnswer{
        307, "", {{"Location", request.target == "/moved" ? other.url() : "/moved"}}};
  });
  EXPECT_FALSE(post(server.url()));
  EXPECT_EQ(server.requests(), 2u);
  EXPECT_EQ(other.connections(), 0u);
}

TEST_F(RedirectTest, AnAllowedServerGetsTheBodyAndNotTheToken) {
  ScriptedRequest seen;
  ScriptedHttpServer other([&](const ScriptedRequest& request) {
    seen = request;
    return ScriptedAnswer{200, "done"};
  });
  ScriptedHttpServer server([&](const ScriptedRequest&) {
    return ScriptedAnswer{307, "", {{"Location", other.url() + "/x"}}};
  });
  const auto answer = post(server.url(), {other.url().substr(7)});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "done");
  EXPECT_EQ(seen.body, "the body");
  EXPECT_EQ(seen.header("Authorization"), "");
}

TEST_F(RedirectTest, WithNoneAllowedARedirectionIsAnAnswer) {
  ScriptedHttpServer other([](const ScriptedRequest&) { return ScriptedAnswer{200, "internal"}; });
  ScriptedHttpServer server([&](const ScriptedRequest&) {
    return ScriptedAnswer{302, "", {{"Location", other.url() + "/x"}}};
  });
  boost::asio::io_context io;
  HttpClient client(io.get_executor(), HttpClientOptions{.redirects_max = 0});
  HttpRequest request;
  request.url = server.url();
  const auto answer = test::run_awaitable(io, client.perform(std::move(request)));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(other.connections(), 0u);
}

}  // namespace
}  // namespace edged::http
