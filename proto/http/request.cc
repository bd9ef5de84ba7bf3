// SPDX-License-Identifier: Apache-2.0
#include "proto/http/request.h"

#include <algorithm>

#include "proto/http/message.h"

namespace edged::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

// Takes "http://host:1" off "http://host:1/a?b" and returns "host:1"; nothing for another form.
std::optional<std::string> take_authority(std::string_view& target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
    std::string authority(target.substr(scheme.size(), end - scheme.size()));
    target = end == target.size() ? "/" : target.substr(end);
    return authority;
  }
  return std::nullopt;
}

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return lower(a) == lower(b);
  });
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
      continue;
    }
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

Result<RawTarget> split_target(std::string_view target) {
  RawTarget result;
  result.authority = take_authority(target);
  if (target.find('#') != std::string_view::npos) {
    return Status(Code::kInvalidArgument, "the request target has a fragment");
  }
  const std::size_t mark = target.find('?');
  result.path = target.substr(0, mark);
  if (result.path.empty() && result.authority) result.path = "/";
  if (result.path.empty() || result.path.front() != '/') {
    return Status(Code::kInvalidArgument, "the request target is not a path");
  }
  if (mark != std::string_view::npos) result.query = target.substr(mark + 1);
  return result;
}

Result<Target> parse_target(std::string_view target) {
  auto raw = split_target(target);
  if (!raw) return raw.error();
  auto path = percent_decode(raw->path, false);
  if (!path || has_control(*path)) {
    return Status(Code::kInvalidArgument, "the request target is not a path");
  }
  Target result;
  result.authority = std::move(raw->authority);
  result.path = std::move(*path);
  std::string_view rest = raw->query;
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view field = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    auto name = percent_decode(field.substr(0, equals), true);
    auto value = percent_decode(
        equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1), true);
    if (!name || !value) {
      return Status(Code::kInvalidArgument, "the query has a bad percent escape");
    }
    result.query[std::move(*name)] = std::move(*value);
  }
  return result;
}

Response refusal(int status, std::string_view why) {
  return {status, "application/json", "{\"error\":\"" + std::string(why) + "\"}\n", {}};
}

}  // namespace edged::http
