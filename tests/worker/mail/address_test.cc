// SPDX-License-Identifier: Apache-2.0
// Which addresses are taken, in what form, and why the others are refused.
#include "worker/mail/address.h"

#include <gtest/gtest.h>

#include <string>

#include "worker/mail/mime.h"

namespace edged::mail {
namespace {

TEST(ParseAddressTest, TakesBareAndNamed) {
  const struct {
    std::string text, name, bare, domain;
  } cases[] = {
      {"a@b", "", "a@b", "b"},
      {"<a@b>", "", "a@b", "b"},
      {"edged@localhost", "", "edged@localhost", "localhost"},
      {"N <a@b.example>", "N", "a@b.example", "b.example"},
      {"\"N, M\" <a+c@b>", "N, M", "a+c@b", "b"},
      {"\"a \\\"quoted\\\" name\" <a@b>", "a \"quoted\" name", "a@b", "b"},
      {"PickMyClass @ ASU <a@b>", "PickMyClass @ ASU", "a@b", "b"},
      {"Zoë <o'neil@b>", "Zoë", "o'neil@b", "b"},
      {"first.last@mail.b.example", "", "first.last@mail.b.example", "mail.b.example"},
      {"A.B@Mail.B.EXAMPLE", "", "A.B@mail.b.example", "mail.b.example"},
  };
  for (const auto& c : cases) {
    const auto address = parse_address(c.text);
    ASSERT_TRUE(address) << c.text << address.error().to_string();
    EXPECT_EQ(address->display_name, c.name);
    EXPECT_EQ(address->bare, c.bare);
    EXPECT_EQ(address->domain, c.domain);
  }
}

TEST(ParseAddressTest, CutsOffSurroundingWhiteSpace) {
  for (const std::string text : {" a@b.example",
                                 "a@b.example ",
                                 "\ta@b.example\r\n",
                                 "< a@b.example >",
                                 "\xC2\xA0 a@b.example\xC2\xA0",
                                 "  <a@b.example>  "}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text << address.error().to_string();
    EXPECT_EQ(address->bare, "a@b.example");
  }
  const auto named = parse_address("  Name   <a@b.example>\n");
  ASSERT_TRUE(named) << named.error().to_string();
  EXPECT_EQ(named->display_name, "Name");
  EXPECT_EQ(named->bare, "a@b.example");
}

TEST(ParseAddressTest, TurnsAnInternationalDomainIntoItsAsciiForm) {
  const struct {
    std::string text, bare;
  } cases[] = {
      {"a@bücher.example", "a@xn--bcher-kva.example"},
      {"a@BÜCHER.Example", "a@xn--bcher-kva.example"},
      {"a@bu\xCC\x88"
       "cher.example",
       "a@xn--bcher-kva.example"},  // decomposed: u and U+0308
      {"a@straße.example", "a@xn--strae-oqa.example"},
      {"a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"},
      {"Zoë <zoe@zoë.example>", "zoe@xn--zo-ija.example"},
      {"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
      {" a@é ", "a@xn--9ca"},
  };
  for (const auto& c : cases) {
    const auto address = parse_address(c.text);
    ASSERT_TRUE(address) << c.text << address.error().to_string();
    EXPECT_EQ(address->bare, c.bare) << c.text;
  }
}

TEST(ParseAddressTest, RefusesWhatSmtpDoesNotTakeAndSaysWhy) {
  const std::string label63(63, 'l');
  const std::string label64(64, 'l');
  const std::string domain250 = std::string(62, 'd') + "." + std::string(62, 'd') + "." +
                                std::string(62, 'd') + "." + std::string(61, 'd');
  const struct {
    std::string text, why;
  } cases[] = {
      {"", "it is empty"},
      {" \t ", "it is empty"},
      {"nobody", "it has no '@'"},
      {"@b", "nothing stands before '@'"},
      {"a@", "nothing stands after '@'"},
      {"<>", "it has no '@'"},
      {"a@b@c", "it holds more than one '@'"},
      {"a b@c", "the part before '@' holds a blank"},
      {"a@b c", "the domain holds a blank"},
      {"a@b\r\nBcc: c@d", "a line break or another control character"},
      {"a@b\nX", "a line break or another control character"},
      {"N\r\n <a@b>", "a line break or another control character"},
      {std::string("a\0@b", 4), "a line break or another control character"},
      {"a@b\x7F"
       "c",
       "a line break or another control character"},
      {"a@b, c@d", "it holds several addresses; give one"},
      {"a@b;c@d", "it holds several addresses; give one"},
      {"a@b, N <c@d>", "it holds several addresses; give one"},
      {"N <a@b> <c@d>", "it holds several addresses; give one"},
      {"a@b>", "the character '>'"},
      {"<a@b", "'<' without '>' at the end"},
      {"<a@b> x", "'<' without '>' at the end"},
      {".a@b", "the part before '@' begins with a dot"},
      {"a.@b", "the part before '@' ends with a dot"},
      {"a..b@c", "the part before '@' has two dots in a row"},
      {"\"a b\"@c", "a quoted part before '@' is not supported"},
      {"a(x)@b", "the character '('"},
      {"é@b", "is not ASCII, which needs SMTPUTF8"},
      {std::string(65, 'a') + "@b", "has more than 64 bytes"},
      {"a@b..c", "the domain has two dots in a row"},
      {"a@.b", "the domain begins with a dot"},
      {"a@b.", "the domain ends with a dot"},
      {"a@.", "the domain begins with a dot"},
      {"a@-b.example", "begins or ends with a hyphen"},
      {"a@b-.example", "begins or ends with a hyphen"},
      {"a@b_c.example", "the character '_'"},
      {"a@" + label64 + ".example", "has more than 63 bytes"},
      {"aaaa@" + domain250, "it has more than 254 bytes"},
      {"a@[127.0.0.1]", "an IP address for a domain is not supported"},
      {"a@[IPv6:::1]", "an IP address for a domain is not supported"},
      {"a@127.0.0.1", "is an IP address or ends with a number"},
      {"a@xn--a.example", "the domain has no ASCII form"},
      {"a@b\xFF.example", "the domain has no ASCII form"},
      {"a@ü..example", "domain"},
  };
  for (const auto& c : cases) {
    const auto address = parse_address(c.text);
    ASSERT_FALSE(address) << c.text;
    EXPECT_EQ(address.code(), Code::kInvalidArgument) << c.text;
    const std::string& message = address.error().message();
    EXPECT_NE(message.find(c.why), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with("invalid mail address \"")) << message;
    EXPECT_EQ(message.find_first_of("\r\n"), std::string::npos) << message;
  }
  EXPECT_TRUE(parse_address("a@" + label63 + ".example"));
  EXPECT_TRUE(parse_address(std::string(64, 'a') + "@b"));
  EXPECT_TRUE(parse_address("aaa@" + domain250));
}

TEST(AddressFieldTest, QuotesOrEncodesTheDisplayName) {
  EXPECT_EQ(address_field("To", {"", "a@b", "b"}), "To: a@b\r\n");
  EXPECT_EQ(address_field("From", {"N \"M\"", "a@b", "b"}), "From: \"N \\\"M\\\"\"\r\n <a@b>\r\n");
  EXPECT_EQ(address_field("From", {"Zoë", "a@b", "b"}), "From: =?UTF-8?B?Wm/Dqw==?=\r\n <a@b>\r\n");
}

}  // namespace
}  // namespace edged::mail
