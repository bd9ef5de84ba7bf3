// SPDX-License-Identifier: Apache-2.0
// See mirror_writer.h.
#include "tests/soak/mirror_writer.h"

#include <chrono>
#include <cstdio>
#include <thread>

namespace edged::soak {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kLargeBodyBytes = 450;
constexpr milliseconds kPositionPatience{1500};
constexpr std::int64_t kFarMs = 3'600'000;

std::string text(std::uint64_t number) {
  return std::to_string(number);
}

std::uint64_t number(const std::optional<std::string>& field) {
  return field ? std::stoull(*field) : 0;
}

// As positions of PostgreSQL's mirror compare.
std::string big_endian(std::uint64_t value) {
  std::string bytes(8, '\0');
  for (std::size_t i = 8; i-- > 0; value >>= 8) bytes[i] = static_cast<char>(value & 0xff);
  return bytes;
}

}  // namespace

MirrorWriter::MirrorWriter(MirrorRun& run, std::size_t number, std::uint64_t seed)
    : run_(run), number_(number), random_(seed), sql_(run.sql_url), client_([&run] {
        net::ClientOptions options;
        options.address = run.node_address;
        return options;
      }()) {}

void MirrorWriter::run() {
  while (!run_.stop.load()) {
    transaction();
    std::this_thread::sleep_for(milliseconds(1 + pick(12)));
  }
}

MirrorSql::Answer MirrorWriter::ask(const std::string& sql) {
  MirrorSql::Answer answer = sql_.run(sql);
  if (answer.outcome == Outcome::kRefused) {
    if (run_.figures.refused.fetch_add(1) < 5) {
      std::printf("a writer was refused: %s\n", answer.error.c_str());
    }
    sql_.run("rollback");
  }
  return answer;
}

void MirrorWriter::set(const std::string& key, bool present, const Doc& doc) {
  RowState state;
  state.version = version_;
  state.present = present;
  state.passing = passing_;
  state.body = present ? doc.body : 0;
  state.expires_ms = present ? doc.expires_ms : 0;
  changes_[key] = state;
}

void MirrorWriter::set(const std::string& key, bool present) {
  const Doc none;
  set(key, present, none);
}

void MirrorWriter::transaction() {
  run_.writers.enter();
  version_ = run_.oracle.next_version();
  changes_.clear();
  statements_.clear();
  committed_ = passing_ = false;
  const std::uint64_t kind = pick(1000);
  const std::uint64_t rows = kind % 10 == 0 ? 10 + pick(190) : 1 + pick(3);
  if (number_ == 0 && kind < 8) {
    run_.tables[kItems].enter();
    if (change_large()) finish();
    run_.tables[kItems].leave();
  } else if (number_ == 1 && kind < 8) {
    const Table table = static_cast<Table>(pick(kTables));
    run_.tables[table].close();
    if (empty_table(table)) finish();
    run_.tables[table].open();
  } else {
    write(static_cast<Table>(pick(kTables)), rows);
  }
  run_.writers.leave();
  if (committed_ && pick(15) == 0) read_own();
}

// One time in eight with rows of a second table.
void MirrorWriter::write(Table table, std::uint64_t rows) {
  const Table other = static_cast<Table>((table + 1) % kTables);
  const bool two = pick(8) == 0;
  // In the order of their numbers, as nobody else holds two.
  run_.tables[table].enter();
  if (two) run_.tables[other].enter();
  const MirrorSql::Answer begun =
      ask("begin; insert into public.commits values (" + text(version_) + ")");
  bool good = begun.ok();
  for (std::size_t one = 0; good && one < kTables; ++one) {
    if (one != table && !(two && one == other)) continue;
    if (one == kCounters) good = change_counters(rows);
    if (one == kItems) good = change_items(rows);
    if (one == kDocs) good = change_docs(rows);
  }
  if (good) finish();
  if (two) run_.tables[other].leave();
  run_.tables[table].leave();
}

bool MirrorWriter::change_counters(std::uint64_t count) {
  const std::uint64_t first = number_ * kCounterIds;
  const MirrorSql::Answer found = ask("select id, name from public.counters where id between " +
                                      text(first) + " and " + text(first + kCounterIds - 1));
  if (!found.ok()) return false;
  std::map<std::uint64_t, std::string> names;
  for (const auto& row : found.rows) names[number(row[0])] = row[1].value_or("");
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t id = first + pick(kCounterIds);
    const std::uint64_t what = pick(10);
    const auto row = names.find(id);
    if (row == names.end()) {
      std::string free = name(number_, pick(kCounterNames));
      for (const auto& [other, taken] : names) {
        if (taken == free) free.clear();
      }
      if (free.empty()) continue;
      say("insert into public.counters (id, name, version, pad) values (" + text(id) + ", '" +
          free + "', " + text(version_) + ", repeat('p', " + text(pick(60)) + "))");
      set(counter_key(free), true);
      names[id] = free;
    } else if (what == 0) {
      say("delete from public.counters where id = " + text(id));
      set(counter_key(row->second), false);
      names.erase(row);
    } else if (what <= 2) {
      rename(id, names);
    } else {
      const std::string where = " where id = " + text(id);
      if (what == 3) say("update public.counters set version = " + text(version_ + 1) + where);
      say("update public.counters set pad = repeat('q', " + text(pick(60)) +
          "), version = " + text(version_) + where);
      set(counter_key(row->second), true);
    }
  }
  return true;
}

// To a name that is free, or another row's, which gets this one's.
void MirrorWriter::rename(std::uint64_t id, std::map<std::uint64_t, std::string>& names) {
  const std::string before = names[id], after = name(number_, pick(kCounterNames));
  if (before == after) return;
  std::uint64_t holder = 0;
  bool taken = false;
  for (const auto& [other, held] : names) {
    if (held != after) continue;
    holder = other;
    taken = true;
  }
  const auto update = [this](std::uint64_t one, const std::string& to) {
    say("update public.counters set name = '" + to + "', version = " + text(version_) +
        " where id = " + text(one));
  };
  if (taken) update(holder, "between-" + text(number_));
  update(id, after);
  if (taken) update(holder, before);
  names[id] = after;
  if (taken) names[holder] = before;
  set(counter_key(after), true);
  set(counter_key(before), taken);
}

bool MirrorWriter::change_items(std::uint64_t count) {
  const std::uint64_t first = item_id(number_, 0);
  const MirrorSql::Answer found = ask("select id from public.items where id between " +
                                      text(first) + " and " + text(first + kItemIds - 1));
  if (!found.ok()) return false;
  std::map<std::uint64_t, bool> there;
  for (const auto& row : found.rows) there[number(row[0])] = true;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t id = item_id(number_, pick(kItemIds)), what = pick(20);
    const std::string where = " where id = " + text(id);
    if (!there[id]) {
      say("insert into public.items values (" + text(id) + ", " +
          item_body(id, version_, pick(500)) + ")");
    } else if (what < 2) {
      say("delete from public.items" + where);
    } else if (what == 2) {
      const std::uint64_t to = item_id(number_, pick(kItemIds));
      if (there[to]) continue;
      say("update public.items set id = " + text(to) +
          ", body = " + item_body(to, version_, pick(500)) + where);
      set(item_key(to), true);
      there[to] = true;
    } else {
      if (what == 3) {
        say("update public.items set body = " + item_body(id, version_ + 1, 3) + where);
      }
      say("update public.items set body = " + item_body(id, version_, pick(500)) + where);
    }
    there[id] = !there[id] || what > 2;
    set(item_key(id), there[id]);
  }
  return true;
}

bool MirrorWriter::change_docs(std::uint64_t count) {
  const std::uint64_t first = doc_id(number_, 0);
  const MirrorSql::Answer found =
      ask("select id, substr(split_part(big, ':', 1), 2), coalesce((extract(epoch from expires) * "
          "1000)::bigint, 0) from public.docs where id between " +
          text(first) + " and " + text(first + kDocIds - 1));
  if (!found.ok()) return false;
  std::map<std::uint64_t, Doc> docs;
  for (const auto& row : found.rows) {
    docs[number(row[0])] = {number(row[1]), static_cast<std::int64_t>(number(row[2]))};
  }
  for (std::uint64_t i = 0; i < count; ++i) change_doc(doc_id(number_, pick(kDocIds)), docs);
  return true;
}

// Notes what it becomes, and returns SQL for it.
std::string MirrorWriter::new_expiry(Doc& doc) {
  const std::uint64_t what = pick(40);
  const std::int64_t soon = 1000 + static_cast<std::int64_t>(pick(4000));
  doc.expires_ms = what < 20 ? 0 : wall_ms() + (what == 20 ? soon : kFarMs);
  if (doc.expires_ms == 0) return "null";
  return "timestamptz 'epoch' + interval '1 ms' * " + std::to_string(doc.expires_ms);
}

void MirrorWriter::change_doc(std::uint64_t id, std::map<std::uint64_t, Doc>& docs) {
  const std::string where = " where id = " + text(id), version = text(version_);
  const std::uint64_t length = 3000 + pick(17'000), what = pick(20);
  const auto found = docs.find(id);
  if (found == docs.end()) {
    Doc doc{doc_tag(id, version_), 0};
    say("insert into public.docs values (" + text(id) + ", " + version + ", " +
        doc_body(doc.body, length) + ", " + new_expiry(doc) + ")");
    docs[id] = doc;
    set(doc_key(id), true, doc);
    return;
  }
  Doc& doc = found->second;
  // Rows that have expired are seldom changed without their large value.
  const bool gone = doc.expires_ms != 0 && doc.expires_ms < wall_ms() + 1000;
  if (what < 2) {
    say("delete from public.docs" + where);
    set(doc_key(id), false);
    docs.erase(found);
  } else if (what < 4 || (gone && pick(30) != 0)) {
    doc.body = doc_tag(id, version_);
    say("update public.docs set version = " + version + ", big = " + doc_body(doc.body, length) +
        ", expires = " + new_expiry(doc) + where);
    set(doc_key(id), true, doc);
  } else if (what == 4) {
    say("update public.docs set version = " + version + ", expires = " + new_expiry(doc) + where);
    set(doc_key(id), true, doc);
  } else if (what == 5) {
    // The large value goes to another key, which has nothing of its own.
    const std::uint64_t to = doc_id(number_, pick(kDocIds));
    if (docs.contains(to)) return;
    say("update public.docs set id = " + text(to) + ", version = " + version + where);
    docs[to] = doc;
    set(doc_key(to), true, doc);
    set(doc_key(id), false);
    docs.erase(found);
  } else {
    say("update public.docs set version = " + version + where);
    set(doc_key(id), true, doc);
  }
}

// More than the node takes in one batch.
bool MirrorWriter::change_large() {
  run_.figures.large.fetch_add(1);
  const std::string range = text(kLargeFirst) + ", " + text(kLargeFirst + kLargeRows - 1);
  const bool removes = pick(4) == 0;
  say("begin; insert into public.commits values (" + text(version_) + ")");
  if (removes) {
    say("delete from public.items where id >= " + text(kLargeFirst));
  } else {
    say("insert into public.items select i, 'v" + text(version_) +
        ":' || i || ':" + text(kLargeBodyBytes) + ":' || repeat('x', " + text(kLargeBodyBytes) +
        ") from generate_series(" + range +
        ") i on conflict (id) do update set body = " + "excluded.body");
  }
  for (std::uint64_t i = 0; i < kLargeRows; ++i) set(item_key(kLargeFirst + i), !removes);
  return true;
}

bool MirrorWriter::empty_table(Table table) {
  static constexpr const char* kNames[] = {"counters", "items", "docs"};
  static constexpr const char* kPrefixes[] = {"counter:", "item:", "doc:"};
  run_.figures.truncates.fetch_add(1);
  const MirrorSql::Answer begun =
      ask("begin; insert into public.commits values (" + text(version_) + ")");
  if (!begun.ok()) return false;
  const bool before = pick(2) == 0, behind = pick(2) == 0;
  const auto change = [this, table] {
    if (table == kCounters) return change_counters(5);
    return table == kItems ? change_items(5) : change_docs(5);
  };
  // Changes that go again with the rest.
  if (before && !change()) return false;
  say("truncate public." + std::string(kNames[table]));
  passing_ = true;
  for (auto& [key, state] : changes_) {
    state.passing = true;
    state.present = false;
  }
  for (const std::string& key : run_.oracle.present_keys(kPrefixes[table])) {
    if (!changes_.contains(key)) set(key, false);
  }
  if (!behind) return true;
  if (!ask(statements_).ok()) return false;
  statements_.clear();
  return change();
}

void MirrorWriter::finish() {
  const bool rolls_back = pick(30) == 0;
  if (!statements_.empty() && !ask(statements_).ok()) return;
  if (changes_.empty() || rolls_back) {
    run_.figures.rollbacks.fetch_add(1);
    sql_.run("rollback");
    return;
  }
  run_.oracle.begin(changes_);
  const MirrorSql::Answer done = ask("commit");
  if (done.outcome == Outcome::kBroken) return settle_unknown();
  if (!done.ok()) {
    const std::string broken = run_.oracle.abort(changes_);
    if (!broken.empty()) run_.violation(broken);
    return;
  }
  run_.oracle.commit(changes_);
  committed_ = true;
  run_.figures.transactions.fetch_add(1);
  run_.figures.rows.fetch_add(changes_.size());
}

// PostgreSQL died with the transaction, so once it is back the outcome stands.
void MirrorWriter::settle_unknown() {
  run_.figures.unknown.fetch_add(1);
  const MirrorSql::Answer found =
      sql_.insist("select 1 from public.commits where version = " + text(version_));
  if (found.ok() && !found.rows.empty()) return run_.oracle.commit(changes_);
  const std::string broken = run_.oracle.abort(changes_);
  if (!broken.empty()) run_.violation(broken);
}

// What was committed must be there once the node has its position.
void MirrorWriter::read_own() {
  auto chosen = changes_.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(pick(changes_.size())));
  const std::string key = chosen->first;
  run_.writers.enter();
  const auto ticket = run_.oracle.ticket_behind(key, version_);
  const MirrorSql::Answer end =
      ticket ? sql_.run("select pg_current_wal_lsn() - '0/0'::pg_lsn") : MirrorSql::Answer();
  run_.writers.leave();
  if (!end.ok()) return;
  net::ReadBounds bounds;
  bounds.min_position = big_endian(number(end.value()));
  bounds.wait = kPositionPatience;
  Answer answer;
  answer.asked_ms = wall_ms();
  const Result<net::KvEntry> read = client_.get(run_.ns, key, bounds);
  if (read.code() == Code::kStale) run_.figures.stale.fetch_add(1);
  if (!read && read.code() != Code::kNotFound) return;
  const std::int64_t asked = answer.asked_ms;
  if (read) answer = answer_of(key, *read);
  answer.asked_ms = asked;
  answer.answered_ms = wall_ms();
  run_.figures.positions.fetch_add(1);
  if (read && answer.position < bounds.min_position) {
    run_.violation(key + " was answered below the position that was asked for");
  }
  if (run_.unsettled(answer)) return;
  const Oracle::Judgement judged = run_.oracle.judge(key, *ticket, answer);
  if (judged.verdict == Oracle::Verdict::kBroken) run_.violation("by position: " + judged.why);
}

}  // namespace edged::soak
