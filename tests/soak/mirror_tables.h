// SPDX-License-Identifier: Apache-2.0
// The tables of the mirror's soak, their rules, and what their rows are in the node. Pure but for
// read_tables().
#pragma once

#include <map>
#include <string>

#include "proto/net/client.h"
#include "tests/soak/mirror_oracle.h"
#include "tests/soak/mirror_sql.h"

namespace edged::soak {

// Statements that make the tables.
extern const char kTablesSql[];
// The array "mirror.rules" of the configuration.
extern const char kRulesJson[];

std::string counter_key(const std::string& name);
std::string item_key(std::uint64_t id);
std::string doc_key(std::uint64_t id);

// SQL of values that tell the version they are of.
std::string item_body(std::uint64_t id, std::uint64_t version, std::uint64_t length);
// A large value tells by which change of which row it was made; a row with another key may have it.
std::uint64_t doc_tag(std::uint64_t id, std::uint64_t version);  // id: below 1000
std::string doc_body(std::uint64_t tag, std::uint64_t length);

// What an entry says; version 0: nothing that any row says.
Answer answer_of(const std::string& key, const net::KvEntry& entry);

// All that the node must hold, key by key. Insists, as MirrorSql::insist does.
struct StoredRow {
  std::string value;
  RowState state;
};
std::map<std::string, StoredRow> read_tables(MirrorSql& sql);

}  // namespace edged::soak
