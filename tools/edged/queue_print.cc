// SPDX-License-Identifier: Apache-2.0
// See queue_print.h.
#include "tools/edged/queue_print.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "proto/base/printable.h"
#include "proto/json/write_json.h"

namespace edged {
namespace {

constexpr std::size_t kBodyBytesMax = 100;  // in a table

struct Column {
  const char* title;
  const char* field;
  bool right = false;
};

std::string cell(const boost::json::object& row, const Column& column) {
  const boost::json::value* value = row.if_contains(column.field);
  if (value == nullptr || value->is_null()) return "-";
  std::string text = value->is_string() && std::string_view(column.field) != "body"
                         ? std::string(value->get_string())
                         : write_json(*value);
  if (text.size() > kBodyBytesMax) {
    text.resize(kBodyBytesMax);
    text.resize(text.size() - unfinished_bytes(text));
    text += "...";
  }
  return printable(text);
}

void print_rows(const char* name,
                const std::vector<std::string>& rows,
                const std::vector<Column>& columns,
                bool json) {
  if (json) {
    std::string out = "{\"";
    out += name;
    out += "\":[";
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i > 0) out += ',';
      out += rows[i];
    }
    std::printf("%s]}\n", out.c_str());
    return;
  }
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns) lines.front().emplace_back(column.title);
  for (const std::string& row : rows) {
    boost::system::error_code ignored;
    const boost::json::value value = boost::json::parse(row, ignored);
    std::vector<std::string>& line = lines.emplace_back();
    for (const Column& column : columns) {
      line.push_back(value.is_object() ? cell(value.get_object(), column) : "-");
    }
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - line[i].size(), ' ');
      if (i > 0) text += "  ";
      if (columns[i].right) text += padding;
      text += line[i];
      if (!columns[i].right) text += padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    std::printf("%s\n", text.c_str());
  }
}

}  // namespace

void print_queues(const std::vector<std::string>& rows, bool json) {
  print_rows("queues",
             rows,
             {{"QUEUE", "name"},
              {"PAUSED", "paused"},
              {"READY", "ready", true},
              {"DELAYED", "delayed", true},
              {"LEASED", "leased", true},
              {"DEAD", "dead", true},
              {"OLDEST (S)", "oldest_seconds", true}},
             json);
}

void print_messages(const std::vector<std::string>& rows, bool json) {
  print_rows("messages",
             rows,
             {{"ID", "id", true},
              {"STATE", "state"},
              {"ATTEMPTS", "attempts", true},
              {"SENT", "sent_at"},
              {"DUE", "due_at"},
              {"KEY", "unique_key"},
              {"BODY", "body"}},
             json);
}

void print_dead(const std::vector<std::string>& rows, bool json) {
  print_rows("messages",
             rows,
             {{"ID", "id", true},
              {"DIED", "died_at"},
              {"ATTEMPTS", "attempts", true},
              {"REASON", "reason"},
              {"BODY", "body"}},
             json);
}

void print_done(const std::string& line, const boost::json::object& object, bool json) {
  const std::string out = json ? write_json(object) : printable(line);
  std::printf("%s\n", out.c_str());
}

}  // namespace edged
