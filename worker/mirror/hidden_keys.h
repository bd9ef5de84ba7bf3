// SPDX-License-Identifier: Apache-2.0
// What the mirror keeps in the node beside the rows: keys with a prefix that only the mirror may
// use (docs/protocol.md, "Mirrors"), and the forms of their values. They are in the mirrored
// namespace, so that they go when it is cleared. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/status.h"
#include "worker/mirror/pgoutput.h"
#include "worker/mirror/rule.h"

namespace edged::mirror {

bool is_reserved(std::string_view key);

std::string owner_key();  // the session that writes: each puts it anew; batches check its version
std::string rules_key();  // the prefixes that belong to the mirror; the node reads it
std::string position_key();  // written by the node with each batch that carries a position
std::string source_key();    // the database and rules that the entries are a copy of: Source
std::string part_key();      // how much of a split transaction is in the node: Part
std::string fetched_key();   // which values may be newer than the position: encode_fetched()
std::string beat_key();      // the last heartbeat that came back; put also to have a batch on disk
// From a row's identity to its key, for tables whose key has columns outside the identity.
std::string index_root();
std::string index_prefix(std::size_t rule);
std::string index_key(std::size_t rule, std::string_view identity);

// Positions compare as bytes in the node: 8, big-endian.
std::string encode_position(Lsn lsn);
// Errors: kCorruption.
Result<Lsn> decode_position(std::string_view bytes);

// The position up to which the node has PostgreSQL's changes, and a time: all changes that were
// committed before it are in the node.
struct Mark {
  Lsn position = 0;  // 0: none that PostgreSQL still knows
  WallTime fresh_as_of{};
};
// What the node stores under position_key(). Errors: kCorruption.
Result<Mark> decode_mark(std::string_view bytes);

struct OwnedPrefix {
  std::string prefix;
  std::chrono::milliseconds ttl{0};  // 0: no bound
  bool loaded = false;               // until then reads return stale

  bool operator==(const OwnedPrefix&) const = default;
};
// Of rules that are loaded.
std::vector<OwnedPrefix> owned_prefixes(const std::vector<Rule>& rules);
std::string encode_rules(const std::vector<OwnedPrefix>& rules);
// Errors: kCorruption.
Result<std::vector<OwnedPrefix>> decode_rules(std::string_view bytes);

// A rule as text. If it differs from the stored text, the rule's rows are loaded anew.
std::string text_of(const Rule& rule);

struct Source {
  std::string system;  // PostgreSQL's system identifier
  std::uint32_t timeline = 0;
  std::string slot;
  std::string shape;                // of the tables and the publication (heartbeat.h)
  std::vector<std::string> rules;   // text_of() each
  std::vector<std::string> sweeps;  // prefixes of rules before, to be emptied by the load
  bool loaded = false;

  bool operator==(const Source&) const = default;
};
std::string encode_source(const Source& source);
// Errors: kCorruption.
Result<Source> decode_source(std::string_view json);

// The first `changes` of the transaction that commits at `final_lsn` are in the node.
struct Part {
  Lsn final_lsn = 0;
  std::uint64_t changes = 0;
};
std::string encode_part(const Part& part);
// Errors: kCorruption.
Result<Part> decode_part(std::string_view json);

// For each rule: until the stream has passed this position, values in the node may be newer than
// their rows in the stream, and must not complete them.
using FetchedUntil = std::map<std::size_t, Lsn>;
std::string encode_fetched(const FetchedUntil& until);
// Errors: kCorruption.
Result<FetchedUntil> decode_fetched(std::string_view json);

}  // namespace edged::mirror
