// SPDX-License-Identifier: Apache-2.0
// What a reader's click does, seen from outside.
#include "worker/mail/unsubscribe_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <optional>
#include <vector>

#include "proto/net/spawn.h"
#include "tests/support/run_awaitable.h"
#include "worker/mail/unsubscribe.h"

namespace edged::mail {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using test::run_awaitable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class UnsubscribePageTest : public ::testing::Test {
 protected:
  UnsubscribePageTest() : server_(io_.get_executor(), {.address = "127.0.0.1:0"}) {
    UnsubscribeRoutes routes;
    routes.secret = [this] { return secret_; };
    routes.suppress = [this](std::string address) { return note(std::move(address)); };
    add_unsubscribe_routes(server_, std::move(routes));
    const Status listening = server_.listen();
    if (!listening.ok()) ADD_FAILURE() << listening.to_string();
  }

  asio::awaitable<Status> note(std::string address) {
    suppressed_.push_back(std::move(address));
    co_return answer_;
  }

  asio::awaitable<std::string> exchange(std::string request) {
    const std::string address = server_.address();
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    tcp::socket socket(io_);
    const tcp::endpoint to(asio::ip::make_address("127.0.0.1"), port);
    co_await socket.async_connect(to, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    std::string answer;
    co_await asio::async_read(
        socket, asio::dynamic_buffer(answer), asio::as_tuple(asio::use_awaitable));
    co_return answer;
  }

  std::string ask(const std::string& method,
                  const std::string& target,
                  const std::string& body = {}) {
    std::string request(method);
    request.append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
    request.append("Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    return run_awaitable(io_, exchange(request.append(body)));
  }

  std::string target(const std::string& address) {
    return unsubscribe_link("http://x.example", secret_, address).substr(16);
  }

  asio::io_context io_;
  http::Server server_;
  std::string secret_ = "a secret";
  Status answer_;
  std::vector<std::string> suppressed_;
};

TEST_F(UnsubscribePageTest, GetAsksAndChangesNothing) {
  const std::string answer = ask("GET", target("a@b.example"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Stop all mails to <b>a@b.example</b>?"));
  EXPECT_THAT(answer, HasSubstr("<form method=\"post\">"));
  EXPECT_THAT(answer, HasSubstr("Referrer-Policy: no-referrer"));
  EXPECT_THAT(answer, Not(HasSubstr("Set-Cookie")));
  EXPECT_THAT(suppressed_, IsEmpty());
}

TEST_F(UnsubscribePageTest, PostActsAlsoTwice) {
  EXPECT_THAT(ask("POST", target("a@b.example")), HasSubstr("You are unsubscribed"));
  EXPECT_THAT(ask("POST", target("a@b.example"), "List-Unsubscribe=One-Click"),
              HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(suppressed_, ElementsAre("a@b.example", "a@b.example"));
}

TEST_F(UnsubscribePageTest, ALinkThatWasChangedDoesNothing) {
  std::string other = target("a@b.example");
  other.back() = other.back() == '0' ? '1' : '0';
  for (const std::string& changed : {other,
                                     std::string("/unsubscribe"),
                                     std::string("/unsubscribe?a=61&s="),
                                     std::string("/unsubscribe?a=%00&s=%00"),
                                     target("a@b.example").substr(0, 40)}) {
    EXPECT_THAT(ask("GET", changed), HasSubstr("HTTP/1.1 404")) << changed;
    EXPECT_THAT(ask("POST", changed), HasSubstr("HTTP/1.1 404")) << changed;
  }
  EXPECT_THAT(suppressed_, IsEmpty());
}

TEST_F(UnsubscribePageTest, AddressesAreShownAsText) {
  const std::string answer = ask("GET", target("<script>@b.example"));
  EXPECT_THAT(answer, HasSubstr("&lt;script&gt;@b.example"));
}

TEST_F(UnsubscribePageTest, WithoutASecretNoLinkIsValid) {
  const std::string link = target("a@b.example");
  secret_.clear();
  EXPECT_THAT(ask("POST", link), HasSubstr("HTTP/1.1 404"));
}

TEST_F(UnsubscribePageTest, AFailureIsToldAndNotTakenForDone) {
  answer_ = Status(Code::kUnavailable, "PostgreSQL is away");
  const std::string answer = ask("POST", target("a@b.example"));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(answer, Not(HasSubstr("PostgreSQL")));
}

}  // namespace
}  // namespace edged::mail
