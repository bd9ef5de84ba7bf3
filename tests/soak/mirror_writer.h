// SPDX-License-Identifier: Apache-2.0
// Changes the tables of the mirror's soak in transactions of every kind, tells the oracle, and
// reads by position what it has written. Each writer has rows of its own. A thread each.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "proto/net/blocking_client.h"
#include "tests/soak/mirror_run.h"
#include "tests/soak/mirror_sql.h"
#include "tests/soak/mirror_tables.h"

namespace edged::soak {

class MirrorWriter {
 public:
  static constexpr std::size_t kWriters = 3;
  static constexpr std::uint64_t kCounterIds = 150, kCounterNames = 250;
  static constexpr std::uint64_t kItemIds = 600, kDocIds = 60;
  static constexpr std::uint64_t kLargeFirst = 100'000, kLargeRows = 20'000;

  MirrorWriter(MirrorRun& run, std::size_t number, std::uint64_t seed);

  // Until run.stop.
  void run();

  // What a writer calls its rows.
  static std::uint64_t item_id(std::size_t writer, std::uint64_t index) {
    return writer * kItemIds + index;
  }
  static std::uint64_t doc_id(std::size_t writer, std::uint64_t index) {
    return writer * kDocIds + index;
  }
  static std::string name(std::size_t writer, std::uint64_t index) {
    return "n" + std::to_string(writer) + "-" + std::to_string(index);
  }

 private:
  using Outcome = MirrorSql::Outcome;
  struct Doc {
    std::uint64_t body = 0;
    std::int64_t expires_ms = 0;
  };

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  void transaction();
  void write(Table table, std::uint64_t rows);
  // Each adds statements and what becomes of the keys. False: PostgreSQL did not answer.
  bool change_counters(std::uint64_t count);
  bool change_items(std::uint64_t count);
  bool change_docs(std::uint64_t count);
  bool change_large();
  bool empty_table(Table table);
  void rename(std::uint64_t id, std::map<std::uint64_t, std::string>& names);
  void change_doc(std::uint64_t id, std::map<std::uint64_t, Doc>& docs);
  std::string new_expiry(Doc& doc);

  MirrorSql::Answer ask(const std::string& sql);
  void say(const std::string& sql) { statements_ += sql + ";\n"; }
  void set(const std::string& key, bool present, const Doc& doc);
  void set(const std::string& key, bool present);
  void finish();
  void settle_unknown();
  void read_own();

  MirrorRun& run_;
  const std::size_t number_;
  std::mt19937_64 random_;
  MirrorSql sql_;
  net::BlockingClient client_;
  // Of the transaction under way.
  std::uint64_t version_ = 0;
  Changes changes_;
  std::string statements_;
  bool committed_ = false;
  bool passing_ = false;  // RowState::passing
};

}  // namespace edged::soak
