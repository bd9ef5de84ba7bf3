// SPDX-License-Identifier: Apache-2.0
// See mirror_tables.h.
#include "tests/soak/mirror_tables.h"

#include <boost/json.hpp>
#include <charconv>
#include <exception>
#include <string_view>

#include "proto/base/check.h"

namespace edged::soak {
namespace {

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view take_field(std::string_view& text) {
  const std::size_t colon = text.find(':');
  const std::string_view field = text.substr(0, colon);
  text = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  return field;
}

// The number in "<letter>NUMBER:ID:LENGTH:xxx"; 0 if it is no such text with that id.
std::uint64_t number_of(std::string_view text, char letter, std::string_view id) {
  if (!text.starts_with(letter)) return 0;
  text.remove_prefix(1);
  const std::uint64_t version = number(take_field(text));
  if (take_field(text) != id) return 0;
  const std::uint64_t length = number(take_field(text));
  const bool whole = text.size() == length && text.find_first_not_of('x') == std::string_view::npos;
  return whole ? version : 0;
}

std::string body(char letter, const std::string& id, std::uint64_t told, std::uint64_t length) {
  return "'" + std::string(1, letter) + std::to_string(told) + ":" + id + ":" +
         std::to_string(length) + ":' || repeat('x', " + std::to_string(length) + ")";
}

void read_row(const std::string& key, std::string_view value, Answer& answer) {
  const std::string_view name = std::string_view(key).substr(key.find(':') + 1);
  if (key.starts_with("item:")) {
    answer.version = number_of(value, 'v', name);
    return;
  }
  const boost::json::value row = boost::json::parse(value);
  answer.version = row.at("version").to_number<std::uint64_t>();
  if (key.starts_with("doc:")) {
    answer.body = number_of(row.at("big").as_string(), 'b', "doc");
    if (row.at("id").to_number<std::uint64_t>() != number(name)) answer.version = 0;
  } else if (row.at("name").as_string() != name) {
    answer.version = 0;
  }
}

void read_table(MirrorSql& sql, const std::string& query, std::map<std::string, StoredRow>& rows) {
  const MirrorSql::Answer answer = sql.insist(query);
  if (!answer.ok()) std::fprintf(stderr, "%s\n", answer.error.c_str());
  KV_CHECK(answer.ok());
  for (const auto& row : answer.rows) {
    const std::string key = row[0].value_or("");
    net::KvEntry entry;
    entry.value = row[1].value_or("");
    const Answer said = answer_of(key, entry);
    StoredRow stored;
    stored.state.version = said.version;
    stored.state.body = said.body;
    stored.state.present = true;
    stored.state.expires_ms = static_cast<std::int64_t>(number(row[2].value_or("0")));
    stored.value = std::move(entry.value);
    rows.emplace(key, std::move(stored));
  }
}

}  // namespace

const char kTablesSql[] = R"(
create table public.counters (id int primary key, name text unique not null,
                              version bigint not null, pad text not null);
create table public.items (id int primary key, body text not null);
create table public.docs (id int primary key, version bigint not null, big text not null,
                          expires timestamptz);
alter table public.docs alter column big set storage external;
create table public.commits (version bigint primary key);
)";

const char kRulesJson[] = R"([
{"table": "public.counters", "key": "counter:{name}", "value": {"row": true}},
{"table": "public.items", "key": "item:{id}", "value": {"column": "body"}},
{"table": "public.docs", "key": "doc:{id}", "value": {"row": true}, "expires": "expires"}])";

std::string counter_key(const std::string& name) {
  return "counter:" + name;
}
std::string item_key(std::uint64_t id) {
  return "item:" + std::to_string(id);
}
std::string doc_key(std::uint64_t id) {
  return "doc:" + std::to_string(id);
}

std::string item_body(std::uint64_t id, std::uint64_t version, std::uint64_t length) {
  return body('v', std::to_string(id), version, length);
}
std::uint64_t doc_tag(std::uint64_t id, std::uint64_t version) {
  return version * 1000 + id;
}
std::string doc_body(std::uint64_t tag, std::uint64_t length) {
  return body('b', "doc", tag, length);
}

Answer answer_of(const std::string& key, const net::KvEntry& entry) {
  Answer answer;
  answer.present = true;
  answer.value = entry.value;
  answer.position = entry.position;
  if (entry.fresh_as_of) answer.fresh_ms = to_unix_ms(*entry.fresh_as_of);
  try {
    read_row(key, entry.value, answer);
  } catch (const std::exception&) {
    answer.version = 0;  // not a row: the oracle knows no such version
  }
  return answer;
}

std::map<std::string, StoredRow> read_tables(MirrorSql& sql) {
  std::map<std::string, StoredRow> rows;
  read_table(sql,
             "set timezone = 'UTC'; select 'counter:' || name, row_to_json(t)::text, 0 from "
             "public.counters t",
             rows);
  read_table(sql, "select 'item:' || id, body, 0 from public.items", rows);
  read_table(sql,
             "set timezone = 'UTC'; select 'doc:' || id, row_to_json(t)::text, "
             "coalesce((extract(epoch from expires) * 1000)::bigint, 0) from public.docs t",
             rows);
  return rows;
}

}  // namespace edged::soak
