// SPDX-License-Identifier: Apache-2.0
#include "kvstore/http/rest_multipart.h"

#include <algorithm>
#include <utility>

#include "proto/http/request.h"

namespace edged::kv_http {
namespace {

// Blanks between a boundary and its line end (RFC 2046 section 5.1.1, transport padding).
constexpr std::size_t kPaddingMax = 64;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes "name=value" off the front of `rest`, behind a ';' that was taken already. `value` may be
// quoted, with backslashes before quotes and backslashes. False if there is none.
bool take_parameter(std::string_view& rest, std::string& name, std::string& value) {
  const std::size_t equals = rest.find_first_of("=;");
  name = trimmed(rest.substr(0, equals));
  value.clear();
  if (equals == std::string_view::npos || rest[equals] == ';') {
    rest.remove_prefix(equals == std::string_view::npos ? rest.size() : equals + 1);
    return !name.empty();
  }
  rest.remove_prefix(equals + 1);
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
  if (rest.empty() || rest.front() != '"') {
    const std::size_t end = rest.find(';');
    value = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return true;
  }
  std::size_t i = 1;
  for (; i < rest.size() && rest[i] != '"'; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    value += rest[i];
  }
  const std::size_t end = rest.find(';', std::min(i, rest.size()));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return true;
}

// The parameter `wanted` of a header value such as `form-data; name="value"; filename="blob"`.
std::optional<std::string> parameter_of(std::string_view header, std::string_view wanted) {
  const std::size_t first = header.find(';');
  if (first == std::string_view::npos) return std::nullopt;
  std::string_view rest = header.substr(first + 1);
  std::string name;
  std::string value;
  while (!rest.empty()) {
    if (take_parameter(rest, name, value) && http::equal_ignoring_case(name, wanted)) return value;
  }
  return std::nullopt;
}

bool is_boundary(std::string_view text) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=? ";
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         text.find_first_not_of(kCharacters) == std::string_view::npos;
}

// The name in the Content-Disposition among the header lines of a part.
std::string part_name(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos ||
        !http::equal_ignoring_case(trimmed(line.substr(0, colon)), "content-disposition")) {
      continue;
    }
    if (std::optional<std::string> name = parameter_of(line.substr(colon + 1), "name")) {
      return *std::move(name);
    }
  }
  return {};
}

}  // namespace

std::optional<Result<std::string>> multipart_boundary(std::string_view content_type) {
  const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
  if (!http::equal_ignoring_case(type, "multipart/form-data")) return std::nullopt;
  std::optional<std::string> boundary = parameter_of(content_type, "boundary");
  if (!boundary || !is_boundary(*boundary)) {
    return Result<std::string>(
        Status(Code::kInvalidArgument, "the multipart form's Content-Type has no usable boundary"));
  }
  return Result<std::string>(*std::move(boundary));
}

MultipartReader::MultipartReader(std::string_view boundary) : delimiter_("\r\n--") {
  delimiter_ += boundary;
  // The first delimiter may be the first line, which has no line end before it.
  buffer_ = "\r\n";
}

void MultipartReader::feed(std::string_view piece) {
  buffer_ += piece;
}

void MultipartReader::drop(std::size_t bytes) {
  buffer_.erase(0, bytes);
}

MultipartEvent MultipartReader::broken(std::string_view why) {
  state_ = State::kBroken;
  why_ = why;
  return {MultipartEvent::Kind::kBroken, why_};
}

MultipartReader::Delimiter MultipartReader::delimiter_at(std::size_t at, std::size_t& end) const {
  const std::string_view text = std::string_view(buffer_).substr(at);
  const std::size_t common = std::min(text.size(), delimiter_.size());
  if (text.substr(0, common) != std::string_view(delimiter_).substr(0, common)) {
    return Delimiter::kNo;
  }
  const Delimiter unfinished = ended_ ? Delimiter::kNo : Delimiter::kNeedsMore;
  if (text.size() < delimiter_.size()) return unfinished;
  std::string_view rest = text.substr(delimiter_.size());
  if (rest.substr(0, 2) == "--") {
    end = at + delimiter_.size() + 2;
    return Delimiter::kClose;
  }
  if (rest.empty() || rest == "-") return unfinished;
  const std::size_t padding = std::min(rest.find_first_not_of(" \t"), rest.size());
  if (padding > kPaddingMax) return Delimiter::kNo;
  rest.remove_prefix(padding);
  if (rest.substr(0, 2) == "\r\n") {
    end = at + delimiter_.size() + padding + 2;
    return Delimiter::kPart;
  }
  return rest.empty() || rest == "\r" ? unfinished : Delimiter::kNo;
}

std::size_t MultipartReader::find_delimiter(std::size_t from,
                                            Delimiter& found,
                                            std::size_t& end) const {
  for (std::size_t at = buffer_.find(delimiter_, from); at != std::string::npos;
       at = buffer_.find(delimiter_, at + 1)) {
    found = delimiter_at(at, end);
    if (found != Delimiter::kNo) return at;
  }
  // The beginning of one may be at the very end.
  const std::size_t tail =
      std::max(from, buffer_.size() - std::min(buffer_.size(), delimiter_.size()));
  for (std::size_t at = buffer_.find('\r', tail); at != std::string::npos;
       at = buffer_.find('\r', at + 1)) {
    found = delimiter_at(at, end);
    if (found != Delimiter::kNo) return at;
  }
  found = Delimiter::kNo;
  return buffer_.size();
}

MultipartEvent MultipartReader::preamble() {
  Delimiter found = Delimiter::kNo;
  std::size_t end = 0;
  const std::size_t at = find_delimiter(0, found, end);
  if (found == Delimiter::kPart) {
    drop(end);
    state_ = State::kHeader;
    return header();
  }
  if (found == Delimiter::kClose) {
    drop(end);
    state_ = State::kDone;
    return {MultipartEvent::Kind::kEnd, {}};
  }
  drop(at);
  if (ended_) return broken("the multipart form has no line with its boundary");
  return {MultipartEvent::Kind::kMore, {}};
}

MultipartEvent MultipartReader::header() {
  // A part without header lines begins with the empty line.
  const bool none = buffer_.compare(0, 2, "\r\n") == 0;
  const std::size_t end = none ? 0 : buffer_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (buffer_.size() > kPartHeaderBytesMax) {
      return broken("the header of a part of the multipart form is too long");
    }
    if (ended_) return broken("the multipart form ends in the header of a part");
    return {MultipartEvent::Kind::kMore, {}};
  }
  if (end > kPartHeaderBytesMax) {
    return broken("the header of a part of the multipart form is too long");
  }
  if (++parts_ > kPartsMax) return broken("the multipart form has too many parts");
  MultipartEvent event{MultipartEvent::Kind::kPart,
                       part_name(std::string_view(buffer_).substr(0, end))};
  // The last line end stays: the delimiter may follow at once.
  drop(none ? 0 : end + 2);
  state_ = State::kData;
  skip_line_end_ = true;
  return event;
}

MultipartEvent MultipartReader::data() {
  Delimiter found = Delimiter::kNo;
  std::size_t end = 0;
  const std::size_t begin = skip_line_end_ ? 2 : 0;
  const std::size_t at = find_delimiter(0, found, end);
  if (at > begin) {
    MultipartEvent event{MultipartEvent::Kind::kData, buffer_.substr(begin, at - begin)};
    drop(at);
    skip_line_end_ = false;
    return event;
  }
  if (found == Delimiter::kPart || found == Delimiter::kClose) {
    drop(end);
    state_ = found == Delimiter::kPart ? State::kHeader : State::kDone;
    return {MultipartEvent::Kind::kPartEnd, {}};
  }
  if (ended_) return broken("the multipart form ends within a part");
  return {MultipartEvent::Kind::kMore, {}};
}

MultipartEvent MultipartReader::next() {
  switch (state_) {
    case State::kPreamble:
      return preamble();
    case State::kHeader:
      return header();
    case State::kData:
      return data();
    case State::kDone:
      buffer_.clear();
      return {MultipartEvent::Kind::kEnd, {}};
    case State::kBroken:
      break;
  }
  return {MultipartEvent::Kind::kBroken, why_};
}

}  // namespace edged::kv_http
