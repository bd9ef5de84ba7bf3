// SPDX-License-Identifier: Apache-2.0
#include "worker/http/webhook.h"

#include <gtest/gtest.h>

#include "proto/base/base64.h"

namespace edged::http {
namespace {

// The example of the specification's reference implementations.
TEST(WebhookTest, SignsAsTheReferenceDoes) {
  const Result<std::string> key = parse_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(
      sign_webhook(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}"),
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookTest, TheSecretIsBase64Of24To64Bytes) {
  for (const std::size_t size : {24U, 32U, 64U}) {
    const std::string text = to_base64(std::string(size, '\x80'));
    for (const std::string& secret : {text, "whsec_" + text}) {
      const Result<std::string> key = parse_webhook_secret(secret);
      ASSERT_TRUE(key) << secret;
      EXPECT_EQ(key->size(), size);
    }
  }
  for (const std::string& secret : {std::string(),
                                    std::string("whsec_"),
                                    to_base64(std::string(23, 'x')),
                                    to_base64(std::string(65, 'x')),
                                    std::string("hunter2-hunter2-hunter2-hunter2-hunter2")}) {
    const Result<std::string> key = parse_webhook_secret(secret);
    ASSERT_FALSE(key) << secret;
    EXPECT_EQ(key.error().message().find("hunter2"), std::string::npos);
  }
}

TEST(WebhookTest, SignsWithEachOfSeveralSecrets) {
  const std::string old_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const std::string new_secret = to_base64(std::string(32, 'n'));
  const auto keys = parse_webhook_secrets("  " + new_secret + " \t" + old_secret + " ");
  ASSERT_TRUE(keys) << keys.error().message();
  ASSERT_EQ(keys->size(), 2U);
  const auto headers =
      webhook_headers(*keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}");
  ASSERT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers[2].second,
            sign_webhook(
                (*keys)[0], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}") +
                " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  std::string many = new_secret;
  for (int i = 0; i < 3; ++i) many += " " + new_secret;
  EXPECT_TRUE(parse_webhook_secrets(many));
  for (const std::string& bad : {std::string(),
                                 std::string(" "),
                                 many + " " + new_secret,
                                 new_secret + " hunter2",
                                 new_secret + "," + old_secret}) {
    const auto none = parse_webhook_secrets(bad);
    ASSERT_FALSE(none) << bad;
    EXPECT_EQ(none.error().message().find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace edged::http
