// SPDX-License-Identifier: Apache-2.0
// See hidden_keys.h.
#include "worker/mirror/hidden_keys.h"

#include <openssl/evp.h>

#include <array>
#include <boost/json.hpp>
#include <exception>

#include "proto/base/check.h"
#include "proto/json/write_json.h"

namespace edged::mirror {
namespace {

constexpr std::string_view kReserved("\0edged:", 7);
// Leaves room for the prefix and the rule's number in a key of 512 bytes.
constexpr std::size_t kIdentityBytesMax = 400;
constexpr char kRulesFormat = 1, kMarkFormat = 1;
// Of the entries that are made of rows. Another one means that all rows are loaded anew.
constexpr int kEntryFormat = 2;

std::string reserved(std::string_view name) {
  return std::string(kReserved) += name;
}

template <typename Number>
void append_little(std::string& out, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    out += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

std::uint64_t read_little(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  KV_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) ==
           1);
  return {digest.begin(), digest.end()};
}

Status bad(const char* what) {
  return {Code::kCorruption, std::string("the mirror's state in the node is damaged: ") + what};
}

std::vector<std::string> texts(const boost::json::value& list) {
  std::vector<std::string> all;
  for (const boost::json::value& one : list.as_array()) all.emplace_back(one.as_string());
  return all;
}

}  // namespace

bool is_reserved(std::string_view key) {
  return key.starts_with(kReserved);
}

std::string owner_key() {
  return reserved("owner");
}
std::string rules_key() {
  return reserved("rules");
}
std::string position_key() {
  return reserved("position");
}
std::string source_key() {
  return reserved("source");
}
std::string part_key() {
  return reserved("part");
}
std::string fetched_key() {
  return reserved("fetched");
}
std::string beat_key() {
  return reserved("beat");
}

std::string index_root() {
  return reserved("row:");
}

std::string index_prefix(std::size_t rule) {
  return index_root() + std::to_string(rule) + ":";
}

// An identity that is too long for a key is told apart by its digest; 'h' and '=' keep the two
// kinds apart.
std::string index_key(std::size_t rule, std::string_view identity) {
  std::string key = index_prefix(rule);
  if (identity.size() > kIdentityBytesMax) {
    key += 'h';
    key += sha256(identity);
  } else {
    key += '=';
    key += identity;
  }
  return key;
}

std::string encode_position(Lsn lsn) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(static_cast<unsigned char>(lsn >> shift));
  }
  return bytes;
}

Result<Lsn> decode_position(std::string_view bytes) {
  if (bytes.size() != 8) return bad("the position");
  Lsn lsn = 0;
  for (const char c : bytes) lsn = lsn << 8 | static_cast<unsigned char>(c);
  return lsn;
}

Result<Mark> decode_mark(std::string_view bytes) {
  constexpr std::size_t kHeaderBytes = 12;
  if (bytes.size() < kHeaderBytes || bytes[0] != kMarkFormat ||
      bytes.size() != kHeaderBytes + read_little(bytes.substr(2, 2))) {
    return bad("the position");
  }
  Mark mark;
  mark.fresh_as_of = from_unix_ms(static_cast<std::int64_t>(read_little(bytes.substr(4, 8))));
  if (bytes.size() == kHeaderBytes) return mark;
  const Result<Lsn> position = decode_position(bytes.substr(kHeaderBytes));
  if (!position) return position.error();
  mark.position = *position;
  return mark;
}

std::vector<OwnedPrefix> owned_prefixes(const std::vector<Rule>& rules) {
  std::vector<OwnedPrefix> prefixes;
  for (const Rule& rule : rules) prefixes.push_back({rule.key.prefix(), rule.ttl, true});
  return prefixes;
}

std::string encode_rules(const std::vector<OwnedPrefix>& rules) {
  std::string bytes(1, kRulesFormat);
  for (const OwnedPrefix& rule : rules) {
    bytes += static_cast<char>(rule.loaded ? 1 : 0);
    append_little(bytes, static_cast<std::uint16_t>(rule.prefix.size()));
    append_little(bytes, static_cast<std::uint64_t>(rule.ttl.count()));
    bytes += rule.prefix;
  }
  return bytes;
}

Result<std::vector<OwnedPrefix>> decode_rules(std::string_view bytes) {
  constexpr std::size_t kHeaderBytes = 11;
  if (!bytes.starts_with(kRulesFormat)) return bad("the rules");
  bytes.remove_prefix(1);
  std::vector<OwnedPrefix> rules;
  while (!bytes.empty()) {
    if (bytes.size() < kHeaderBytes) return bad("the rules");
    const std::size_t size = read_little(bytes.substr(1, 2));
    if (bytes.size() < kHeaderBytes + size) return bad("the rules");
    OwnedPrefix rule;
    rule.loaded = (bytes[0] & 1) != 0;
    rule.ttl = std::chrono::milliseconds(read_little(bytes.substr(3, 8)));
    rule.prefix = bytes.substr(kHeaderBytes, size);
    rules.push_back(std::move(rule));
    bytes.remove_prefix(kHeaderBytes + size);
  }
  return rules;
}

std::string text_of(const Rule& rule) {
  const boost::json::object object{{"table", rule.table.to_text()},
                                   {"key", rule.key.text()},
                                   {"kind", static_cast<int>(rule.value.kind)},
                                   {"value", rule.value.text},
                                   {"expires", rule.expires},
                                   {"format", kEntryFormat}};
  return write_json(object);
}

std::string encode_source(const Source& source) {
  const boost::json::object object{{"system", source.system},
                                   {"timeline", source.timeline},
                                   {"slot", source.slot},
                                   {"shape", source.shape},
                                   {"rules", boost::json::value_from(source.rules)},
                                   {"sweeps", boost::json::value_from(source.sweeps)},
                                   {"loaded", source.loaded}};
  return write_json(object);
}

Result<Source> decode_source(std::string_view json) {
  try {
    const boost::json::value parsed = boost::json::parse(json);
    Source source;
    source.system = parsed.at("system").as_string();
    source.timeline = parsed.at("timeline").to_number<std::uint32_t>();
    source.slot = parsed.at("slot").as_string();
    source.shape = parsed.at("shape").as_string();
    source.rules = texts(parsed.at("rules"));
    source.sweeps = texts(parsed.at("sweeps"));
    source.loaded = parsed.at("loaded").as_bool();
    return source;
  } catch (const std::exception&) {
    return bad("the source");
  }
}

std::string encode_part(const Part& part) {
  const boost::json::object object{{"final_lsn", to_text(part.final_lsn)},
                                   {"changes", part.changes}};
  return write_json(object);
}

Result<Part> decode_part(std::string_view json) {
  try {
    const boost::json::value parsed = boost::json::parse(json);
    const auto lsn = parse_lsn(std::string_view(parsed.at("final_lsn").as_string()));
    if (!lsn) return lsn.error();
    return Part{*lsn, parsed.at("changes").to_number<std::uint64_t>()};
  } catch (const std::exception&) {
    return bad("the part of a transaction");
  }
}

std::string encode_fetched(const FetchedUntil& until) {
  boost::json::array list;
  for (const auto& [rule, lsn] : until) list.push_back({{"rule", rule}, {"until", to_text(lsn)}});
  return write_json(list);
}

Result<FetchedUntil> decode_fetched(std::string_view json) {
  try {
    FetchedUntil until;
    const boost::json::value parsed = boost::json::parse(json);
    for (const boost::json::value& one : parsed.as_array()) {
      const auto lsn = parse_lsn(std::string_view(one.at("until").as_string()));
      if (!lsn) return lsn.error();
      until[one.at("rule").to_number<std::size_t>()] = *lsn;
    }
    return until;
  } catch (const std::exception&) {
    return bad("the rows that were fetched");
  }
}

}  // namespace edged::mirror
