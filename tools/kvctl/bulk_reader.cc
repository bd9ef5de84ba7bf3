// SPDX-License-Identifier: Apache-2.0
#include "tools/kvctl/bulk_reader.h"

#include <algorithm>
#include <string>
#include <utility>

namespace edged::kvctl {
namespace {

namespace json = boost::json;

json::parse_options options() {
  json::parse_options options;
  options.max_depth = kBulkDepthMax;
  return options;
}

// Blanks of JSON, and the bytes of the mark with which some programs begin UTF-8 files.
bool is_blank(char mark, bool at_start) {
  if (mark == ' ' || mark == '\t' || mark == '\r' || mark == '\n') return true;
  return at_start && (mark == '\xEF' || mark == '\xBB' || mark == '\xBF');
}

}  // namespace

BulkReader::BulkReader(OnEntry on_entry, std::size_t entry_bytes_max)
    : on_entry_(std::move(on_entry)), entry_bytes_max_(entry_bytes_max), parser_({}, options()) {}

std::string BulkReader::position() const {
  std::string text = "entry ";
  text.append(std::to_string(entries_ + 1)).append(" (line ").append(std::to_string(lines_));
  return text.append(")");
}

Status BulkReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kInside) {
      const auto taken = take_entry(bytes);
      if (!taken) return taken.error();
      bytes.remove_prefix(*taken);
      continue;
    }
    const char mark = bytes.front();
    if (is_blank(mark, state_ == State::kStart)) {
      lines_ += mark == '\n' ? 1 : 0;
      bytes.remove_prefix(1);
      continue;
    }
    const State before = state_;
    const Status taken = take_mark(mark);
    if (!taken.ok()) return taken;
    // The brace that begins an entry belongs to it.
    if (state_ != State::kInside || before == State::kInside) bytes.remove_prefix(1);
  }
  return {};
}

Status BulkReader::take_mark(char mark) {
  switch (state_) {
    case State::kStart:
      is_array_ = mark == '[';
      if (!is_array_) return begin_entry(mark);
      state_ = State::kFirst;
      return {};
    case State::kFirst:
      if (mark != ']') return begin_entry(mark);
      state_ = State::kEnd;
      return {};
    case State::kNext:
    case State::kLines:
      return begin_entry(mark);
    case State::kSeparator:
      if (mark != ',' && mark != ']') return unexpected(mark, "\",\" or \"]\"");
      state_ = mark == ',' ? State::kNext : State::kEnd;
      return {};
    case State::kInside:
    case State::kEnd:
      break;
  }
  return unexpected(mark, "nothing more");
}

Status BulkReader::begin_entry(char mark) {
  if (mark != '{') return unexpected(mark, "an object, {…}");
  parser_.reset();
  entry_bytes_ = 0;
  state_ = State::kInside;
  return {};
}

// Gives the parser bytes of the entry. The number of those that belong to it.
Result<std::size_t> BulkReader::take_entry(std::string_view bytes) {
  json::error_code error;
  const std::size_t taken = parser_.write_some(bytes.data(), bytes.size(), error);
  lines_ += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.begin() + taken, '\n'));
  if (error) return Status(Code::kInvalidArgument, position() + ": " + error.message());
  entry_bytes_ += taken;
  if (entry_bytes_ > entry_bytes_max_) {
    return Status(Code::kTooLarge, position() + ": the entry is larger than any entry may be");
  }
  if (!parser_.done()) return taken;
  const Status status = on_entry_(parser_.release());
  if (!status.ok()) return Status(status.code(), position() + ": " + status.message());
  ++entries_;
  state_ = is_array_ ? State::kSeparator : State::kLines;
  return taken;
}

Status BulkReader::finish() {
  switch (state_) {
    case State::kLines:
    case State::kEnd:
      return {};
    case State::kStart:
      return {Code::kInvalidArgument, "there is no JSON in it: it is empty"};
    case State::kInside:
      return {Code::kInvalidArgument, "it ends within " + position()};
    case State::kFirst:
    case State::kNext:
    case State::kSeparator:
      break;
  }
  return {Code::kInvalidArgument,
          "it ends after entry " + std::to_string(entries_) + " without the closing \"]\""};
}

Status BulkReader::unexpected(char mark, std::string_view wanted) const {
  std::string message = position() + ": found \"";
  message.append(1, mark).append("\" where ").append(wanted).append(" was expected");
  return {Code::kInvalidArgument, std::move(message)};
}

}  // namespace edged::kvctl
