// SPDX-License-Identifier: Apache-2.0
// The RESP dialect of load_dialect.h.
#include <charconv>
#include <cstring>
#include <vector>

#include "tools/bench/load_dialect.h"

namespace edged::bench {
namespace {

constexpr std::size_t kPartsMax = 1'000'000;  // of an answer

void append_head(char kind, std::size_t number, std::string& out) {
  out += kind;
  out += std::to_string(number);
  out += "\r\n";
}

void append_bulk(std::string_view text, std::string& out) {
  append_head('$', text.size(), out);
  out += text;
  out += "\r\n";
}

// A line of an answer: its kind, its number (of '$', '*', ':') and where it ends.
struct Line {
  char kind = 0;
  long long number = 0;
  std::size_t end = 0;  // behind its "\r\n"; 0: it is not whole
};

Line line_at(std::string_view bytes, std::size_t at) {
  const std::size_t newline = bytes.find('\n', at);
  if (newline == std::string_view::npos) return {};
  Line line{bytes[at], 0, newline + 1};
  std::from_chars(bytes.data() + at + 1, bytes.data() + newline, line.number);
  return line;
}

// Reads an answer that cut() found, part by part.
class Reader {
 public:
  explicit Reader(std::string_view answer) : answer_(answer) {}
  // The number of an array's elements; nothing if none begins here.
  std::optional<std::size_t> array() {
    const Line line = line_at(answer_, at_);
    if (line.kind != '*' || line.number < 0) return std::nullopt;
    at_ = line.end;
    return static_cast<std::size_t>(line.number);
  }
  std::optional<std::string_view> bulk() {
    const Line line = line_at(answer_, at_);
    if (line.kind != '$' || line.number < 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(line.number);
    const std::string_view text = answer_.substr(line.end, size);
    at_ = line.end + size + 2;
    return text;
  }

 private:
  const std::string_view answer_;
  std::size_t at_ = 0;
};

class RespDialect : public Dialect {
 public:
  RespDialect(const DialectOptions& options, const Keys& keys);
  void ask(const Exchange& exchange, std::uint32_t id, std::string& out) const override;
  Answer cut(std::string_view bytes, Scan& scan) const override;
  Verdict judge(std::string_view answer, Exchange& exchange) const override;

 private:
  Verdict judge_many(std::string_view answer, const Exchange& exchange) const;
  Verdict judge_scan(std::string_view answer, Exchange& exchange) const;
  Verdict judge_page(std::string_view answer, Exchange& exchange) const;

  Form get_, put_;  // put_ without its value
  std::string behind_value_;
};

RespDialect::RespDialect(const DialectOptions& options, const Keys& keys) : Dialect(options, keys) {
  const std::string key = key_text(0);
  get_.count = keys_each();
  append_head('*', 1 + get_.count, get_.bytes);
  append_bulk(options.work == Work::kMultiGet ? "MGET" : "GET", get_.bytes);
  const std::size_t before = get_.bytes.size();
  append_bulk(key, get_.bytes);
  get_.stride = get_.bytes.size() - before;
  get_.key_at = get_.bytes.size() - 2 - kKeyBytes;
  for (std::size_t i = 1; i < get_.count; ++i) append_bulk(key, get_.bytes);

  append_head('*', options.ttl_ms > 0 ? 5 : 3, put_.bytes);
  append_bulk("SET", put_.bytes);
  append_bulk(key, put_.bytes);
  put_.key_at = put_.bytes.size() - 2 - kKeyBytes;
  append_head('$', put_values_.bytes(), put_.bytes);
  behind_value_ = "\r\n";
  if (options.ttl_ms > 0) {
    append_bulk("PX", behind_value_);
    append_bulk(std::to_string(options.ttl_ms), behind_value_);
  }
}

void RespDialect::ask(const Exchange& exchange, std::uint32_t /*id*/, std::string& out) const {
  if (options_.work == Work::kList) {
    append_head('*', 4, out);
    append_bulk("SCAN", out);
    append_bulk(exchange.cursor.empty() ? "0" : exchange.cursor, out);
    append_bulk("COUNT", out);
    append_bulk(std::to_string(options_.items), out);
  } else if (exchange.operation.put) {
    put_.append(keys_, exchange.operation, out);
    put_values_.append(keys_.key(exchange.operation, 0), out);
    out += behind_value_;
  } else {
    get_.append(keys_, exchange.operation, out);
  }
}

// "+OK", "-ERR ...", ":1", "$-1" (absent), "$N" with N bytes behind it, "*N" with N answers.
Answer RespDialect::cut(std::string_view bytes, Scan& scan) const {
  while (scan.parts > 0) {
    if (scan.at >= bytes.size()) return {};
    const Line line = line_at(bytes, scan.at);
    if (line.end == 0) return {};
    std::size_t end = line.end;
    if (line.kind == '$' && line.number >= 0) end += static_cast<std::size_t>(line.number) + 2;
    if (std::memchr("+-:$*", line.kind, 5) == nullptr) return {0, {}, true};
    if (bytes.size() < end) return {};
    if (line.kind == '*' && line.number > 0) scan.parts += static_cast<std::size_t>(line.number);
    if (scan.parts > kPartsMax) return {0, {}, true};
    scan.at = end;
    --scan.parts;
  }
  return {scan.at, {}, false};
}

Verdict RespDialect::judge(std::string_view answer, Exchange& exchange) const {
  if (options_.work == Work::kMultiGet) {
    exchange.items = options_.items;
    return judge_many(answer, exchange);
  }
  if (options_.work == Work::kList) {
    return exchange.more.empty() ? judge_scan(answer, exchange) : judge_page(answer, exchange);
  }
  exchange.items = 1;
  if (exchange.operation.put) return answer[0] == '+' ? Verdict::kRight : Verdict::kWrong;
  const auto value = Reader(answer).bulk();
  const bool right = value && values_.matches(keys_.key(exchange.operation, 0), *value);
  return right ? Verdict::kRight : Verdict::kWrong;
}

Verdict RespDialect::judge_many(std::string_view answer, const Exchange& exchange) const {
  Reader reader(answer);
  if (reader.array() != options_.items) return Verdict::kWrong;
  for (std::size_t i = 0; i < options_.items; ++i) {
    const auto value = reader.bulk();
    if (!value || !values_.matches(keys_.key(exchange.operation, i), *value)) {
      return Verdict::kWrong;
    }
  }
  return Verdict::kRight;
}

Verdict RespDialect::judge_scan(std::string_view answer, Exchange& exchange) const {
  Reader reader(answer);
  if (reader.array() != 2u) return Verdict::kWrong;
  const auto cursor = reader.bulk();
  const auto count = reader.array();
  if (!cursor || !count) return Verdict::kWrong;
  exchange.cursor = *cursor;
  exchange.items = 0;
  if (*count == 0) return Verdict::kRight;
  append_head('*', 1 + *count, exchange.more);
  append_bulk("MGET", exchange.more);
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = reader.bulk();
    if (!key) return Verdict::kWrong;
    append_bulk(*key, exchange.more);
  }
  return Verdict::kMore;
}

// The answer to exchange.more, which has the keys.
Verdict RespDialect::judge_page(std::string_view answer, Exchange& exchange) const {
  Reader asked(exchange.more), reader(answer);
  const auto count = asked.array();
  asked.bulk();  // MGET
  bool right = count && *count > 1 && reader.array() == *count - 1;
  for (std::size_t i = 1; right && i < *count; ++i) {
    const auto key = asked.bulk();
    const auto value = reader.bulk();
    const auto number = key ? key_number(*key) : std::nullopt;
    right = number && value && values_.matches(*number, *value);
  }
  exchange.items = right ? *count - 1 : 0;
  exchange.more.clear();
  return right ? Verdict::kRight : Verdict::kWrong;
}

}  // namespace

std::unique_ptr<Dialect> resp_dialect(const DialectOptions& options, const Keys& keys) {
  return std::make_unique<RespDialect>(options, keys);
}

}  // namespace edged::bench
