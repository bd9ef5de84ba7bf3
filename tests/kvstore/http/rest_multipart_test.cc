// SPDX-License-Identifier: Apache-2.0
// Forms whole, split anywhere, and malformed.
#include "kvstore/http/rest_multipart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace edged::kv_http {
namespace {

using Kind = MultipartEvent::Kind;

// "name=bytes" of each part, then "end", "more" or "broken: …". The body comes in pieces of
// `piece_bytes`.
std::vector<std::string> read(std::string_view boundary,
                              std::string_view body,
                              std::size_t piece_bytes) {
  MultipartReader reader(boundary);
  std::vector<std::string> parts;
  for (;;) {
    const MultipartEvent event = reader.next();
    switch (event.kind) {
      case Kind::kMore:
        if (body.empty()) {
          reader.feed_end();
          const MultipartEvent last = reader.next();
          EXPECT_NE(last.kind, Kind::kMore);
          if (last.kind == Kind::kMore) return parts;
          // What was held back is data after all.
          if (last.kind == Kind::kData) parts.back() += last.text;
          if (last.kind == Kind::kBroken) {
            parts.push_back("broken: " + last.text);
            return parts;
          }
          break;
        }
        reader.feed(body.substr(0, piece_bytes));
        body.remove_prefix(std::min(piece_bytes, body.size()));
        break;
      case Kind::kPart:
        parts.push_back(event.text + "=");
        break;
      case Kind::kData:
        EXPECT_FALSE(event.text.empty());
        parts.back() += event.text;
        break;
      case Kind::kPartEnd:
        parts.back() += ";";
        break;
      case Kind::kEnd:
        parts.emplace_back("end");
        return parts;
      case Kind::kBroken:
        parts.push_back("broken: " + event.text);
        return parts;
    }
  }
}

struct Form {
  const char* name;
  std::string body;
  std::vector<std::string> parts;
};

const char* const kValue = "Content-Disposition: form-data; name=\"value\"\r\n";

std::vector<Form> forms() {
  using namespace std::string_literals;
  const std::string value = kValue;
  return {
      {"one part", "--b\r\n" + value + "\r\nhello\r\n--b--\r\n", {"value=hello;", "end"}},
      {"no line end after it", "--b\r\n" + value + "\r\nhello\r\n--b--", {"value=hello;", "end"}},
      {"empty", "--b\r\n" + value + "\r\n\r\n--b--", {"value=;", "end"}},
      {"no parts", "--b--", {"end"}},
      {"preamble and epilogue",
       "hi\r\n--x\r\n--b\r\n" + value + "\r\nv\r\n--b--\r\nbye\r\n--b\r\n",
       {"value=v;", "end"}},
      {"blanks behind the boundary", "--b \t\r\n" + value + "\r\nv\r\n--b--", {"value=v;", "end"}},
      {"two parts",
       "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"a\":1}\r\n--b\r\n" +
           value + "Content-Type: application/octet-stream\r\n\r\nv\r\n--b--\r\n",
       {"metadata={\"a\":1};", "value=v;", "end"}},
      {"lines like headers and boundaries",
       "--b\r\n" + value +
           "\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n--b\r--b\n\r\n--\r\n-"
           "-bb\r\n--b -\r\n--b\n\r\n--b--",
       {"value=Content-Disposition: form-data; name=\"metadata\"\r\n\r\n--b\r--b\n\r\n--\r\n--bb"
        "\r\n--b -\r\n--b\n;",
        "end"}},
      {"line ends",
       "--b\r\n" + value + "\r\n\r\r\n\n\r\n\r\n\r\n--b--",
       {"value=\r\r\n\n\r\n\r\n;", "end"}},
      {"any bytes", "--b\r\n" + value + "\r\n\0\xFF\r\n--b--"s, {"value=\0\xFF;"s, "end"}},
      {"no header", "--b\r\n\r\nv\r\n--b--", {"=v;", "end"}},
      {"no name", "--b\r\nContent-Type: text/plain\r\n\r\nv\r\n--b--", {"=v;", "end"}},
      {"name among parameters",
       "--b\r\nX: y\r\ncontent-disposition:form-data;filename=\"a;name=x\\\"\";NAME = value "
       "\r\n\r\nv"
       "\r\n--b--",
       {"value=v;", "end"}},
      {"flattened metadata",
       "--b\r\nContent-Disposition: form-data; name=\"metadata[a][]\"\r\n\r\n1\r\n--b--",
       {"metadata[a][]=1;", "end"}},
      {"ends in a part",
       "--b\r\n" + value + "\r\nhel",
       {"value=hel", "broken: the multipart form ends within a part"}},
      {"ends in a delimiter",
       "--b\r\n" + value + "\r\nhel\r\n--b",
       {"value=hel\r\n--b", "broken: the multipart form ends within a part"}},
      {"ends in a header",
       "--b\r\n" + value,
       {"broken: the multipart form ends in the header of a part"}},
      {"another boundary",
       "--c\r\n" + value + "\r\nv\r\n--c--",
       {"broken: the multipart form has no line with its boundary"}},
      {"nothing", "", {"broken: the multipart form has no line with its boundary"}},
      {"long header",
       "--b\r\nX: " + std::string(9000, 'x') + "\r\n\r\nv\r\n--b--",
       {"broken: the header of a part of the multipart form is too long"}},
  };
}

TEST(MultipartReaderTest, ReadsFormsInPiecesOfAnySize) {
  for (const Form& form : forms()) {
    for (std::size_t bytes = 1; bytes <= std::min<std::size_t>(form.body.size() + 1, 300);
         ++bytes) {
      EXPECT_EQ(read("b", form.body, bytes), form.parts) << form.name << ", pieces of " << bytes;
    }
    EXPECT_EQ(read("b", form.body, 1 << 20), form.parts) << form.name;
  }
}

TEST(MultipartReaderTest, BoundsTheParts) {
  std::string body;
  for (std::size_t i = 0; i < MultipartReader::kPartsMax; ++i) body += "--b\r\n\r\n\r\n";
  EXPECT_EQ(read("b", body + "--b--", 1000).back(), "end");
  EXPECT_EQ(read("b", body + "--b\r\n\r\n\r\n--b--", 1000).back(),
            "broken: the multipart form has too many parts");
}

TEST(MultipartReaderTest, PassesALargePartOnAsItComes) {
  MultipartReader reader("b");
  reader.feed(std::string("--b\r\n") + kValue + "\r\n");
  EXPECT_EQ(reader.next().kind, Kind::kPart);
  EXPECT_EQ(reader.next().kind, Kind::kMore);
  for (int i = 0; i < 400; ++i) {
    reader.feed(std::string(64 * 1024, '\r'));
    std::size_t bytes = 0;
    for (MultipartEvent event = reader.next(); event.kind != Kind::kMore; event = reader.next()) {
      ASSERT_EQ(event.kind, Kind::kData);
      bytes += event.text.size();
    }
    EXPECT_NEAR(static_cast<double>(bytes), 64 * 1024, 2);
  }
}

TEST(MultipartBoundaryTest, IsInTheContentType) {
  const auto boundary = [](std::string_view type) { return multipart_boundary(type)->value(); };
  EXPECT_EQ(boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(boundary("Multipart/Form-Data;charset=utf-8; Boundary=\"a b:c\""), "a b:c");
  EXPECT_EQ(boundary("multipart/form-data; boundary=\"a\\b\""), "ab");
  EXPECT_EQ(multipart_boundary("text/plain"), std::nullopt);
  EXPECT_EQ(multipart_boundary(""), std::nullopt);
  EXPECT_EQ(multipart_boundary("multipart/mixed; boundary=a"), std::nullopt);
  for (const std::string& type : {std::string("multipart/form-data"),
                                  std::string("multipart/form-data;"),
                                  std::string("multipart/form-data; boundary"),
                                  std::string("multipart/form-data; boundary="),
                                  std::string("multipart/form-data; boundary=\"a "),
                                  std::string("multipart/form-data; boundary=\"a\r\n\""),
                                  "multipart/form-data; boundary=" + std::string(71, 'b')}) {
    const auto found = multipart_boundary(type);
    ASSERT_TRUE(found.has_value()) << type;
    EXPECT_EQ(found->code(), Code::kInvalidArgument) << type;
  }
}

}  // namespace
}  // namespace edged::kv_http
