// SPDX-License-Identifier: Apache-2.0
// See loader.h.
#include "worker/mirror/loader.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "worker/db/pg_quote.h"
#include "worker/mirror/batch_plan.h"
#include "worker/mirror/copy_row.h"
#include "worker/mirror/publication.h"
#include "worker/mirror/slot.h"
#include "worker/mirror/wait_report.h"

namespace edged::mirror {
namespace {

namespace asio = boost::asio;

bool overlap(const std::string& one, const std::string& other) {
  return one.starts_with(other) || other.starts_with(one);
}

// The prefixes while the load is under way: those whose rule has not changed stay readable; those
// of rules that are gone stay closed until they are empty.
std::vector<OwnedPrefix> prefixes_while_loading(const LoadRequest& request) {
  const StoredState& before = request.before;
  std::vector<OwnedPrefix> prefixes;
  for (std::size_t i = 0; i < request.rules.size(); ++i) {
    const Rule& rule = request.rules[i];
    OwnedPrefix owned{rule.key.prefix(), rule.ttl, false};
    const bool same =
        before.source && std::find(before.source->rules.begin(),
                                   before.source->rules.end(),
                                   request.source.rules[i]) != before.source->rules.end();
    owned.loaded =
        same && std::any_of(before.rules.begin(), before.rules.end(), [&](const OwnedPrefix& old) {
          return old.prefix == owned.prefix && old.loaded;
        });
    prefixes.push_back(std::move(owned));
  }
  for (const OwnedPrefix& old : before.rules) {
    const bool taken = std::any_of(prefixes.begin(), prefixes.end(), [&](const OwnedPrefix& one) {
      return overlap(one.prefix, old.prefix);
    });
    if (!taken) prefixes.push_back({old.prefix, old.ttl, false});
  }
  return prefixes;
}

// One table: from COPY's rows to changes.
class TableLoad {
 public:
  TableLoad(Applier& applier, std::size_t rule, RowMapper mapper)
      : applier_(applier), rule_(rule), mapper_(std::move(mapper)) {}

  asio::awaitable<Status> take(std::string_view row) {
    auto texts = parse_copy_row(row, mapper_.columns().size());
    if (!texts) co_return texts.error();
    Result<RowChange> change = change_of(*texts);
    if (!change) {
      co_return change.error().with_context("table " + mapper_.rule().table.to_text());
    }
    if (!applier_.has_room_for(*change)) {
      Applier::Seal seal;
      const Status flushed = co_await applier_.begin_flush(std::move(seal));
      if (!flushed.ok()) co_return flushed;
    }
    co_return applier_.add(*std::move(change));
  }

 private:
  Result<RowChange> change_of(const std::vector<std::optional<std::string>>& texts) const {
    std::vector<RowMapper::Field> fields;
    fields.reserve(texts.size());
    for (const auto& text : texts) {
      RowMapper::Field field;
      if (text) field.text = *text;
      fields.push_back(field);
    }
    RowChange change;
    change.rule = rule_;
    change.inserted = true;
    change.indexed = !mapper_.key_is_in_identity();
    if (change.indexed) {
      Result<std::string> identity = mapper_.identity(fields);
      if (!identity) return identity.error();
      change.identity = *std::move(identity);
    }
    Result<std::optional<RowMapper::Entry>> entry = mapper_.entry(fields, std::nullopt);
    if (!entry) return entry.error();
    change.entry = *std::move(entry);
    return change;
  }

  Applier& applier_;
  const std::size_t rule_;
  const RowMapper mapper_;
};

std::string copy_statement(const Table& table) {
  std::string columns;
  for (const TableColumn& column : table.columns) {
    columns += (columns.empty() ? "" : ", ") + db::quoted_identifier(column.json.name);
  }
  return "copy (select " + columns + " from " + (table.partitioned ? "" : "only ") +
         db::quoted_identifier(table.name.schema) + "." + db::quoted_identifier(table.name.name) +
         ") to stdout";
}

asio::awaitable<Result<std::uint64_t>> load_table(db::PgPool& pool,
                                                  db::PgReplicationConnection& connection,
                                                  Applier& applier,
                                                  const LoadRequest& request,
                                                  std::size_t rule) {
  const Table& table = request.tables[rule];
  const bool whole = table.identity == ReplicaIdentity::kFull;
  Result<RowMapper> mapper = RowMapper::make(request.rules[rule], table.columns, whole);
  if (!mapper) co_return mapper.error();
  TableLoad load(applier, rule, *std::move(mapper));
  const db::PgReplicationConnection::TakeRow take = [&load](std::string_view row) {
    return load.take(row);
  };
  const WaitReport report(
      co_await asio::this_coro::executor,
      pool,
      connection.backend_pid(),
      "waiting to load table " + table.name.to_text() + ", which another transaction has locked");
  Result<std::uint64_t> rows = co_await connection.copy_out(copy_statement(table), take);
  if (!rows) co_return rows.error().with_context("could not load table " + table.name.to_text());
  co_return *rows;
}

// Under which a load that was or was not finished may have left entries.
std::vector<std::string> old_prefixes(const StoredState& before) {
  std::vector<std::string> prefixes;
  if (before.source) prefixes = before.source->sweeps;
  for (const OwnedPrefix& old : before.rules) prefixes.push_back(old.prefix);
  std::sort(prefixes.begin(), prefixes.end());
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  return prefixes;
}

asio::awaitable<Status> declare(Applier& applier, const LoadRequest& request) {
  Source source = request.source;
  source.loaded = false;
  source.sweeps = old_prefixes(request.before);
  Applier::Seal seal;
  seal.more.emplace_back(put_item(source_key(), encode_source(source)));
  seal.more.emplace_back(put_item(rules_key(), encode_rules(prefixes_while_loading(request))));
  seal.more.emplace_back(applier.forget_fetched());
  // Of another PostgreSQL, or one that was restored, a position means nothing: none is met until
  // the load is complete.
  if (request.before.fresh_as_of) seal.mark = Mark{0, *request.before.fresh_as_of};
  const Status declared = co_await applier.flush(std::move(seal));
  co_return declared;
}

asio::awaitable<Status> sweep(Applier& applier, const LoadRequest& request) {
  std::vector<std::string> prefixes = old_prefixes(request.before);
  for (const Rule& rule : request.rules) prefixes.push_back(rule.key.prefix());
  prefixes.push_back(index_root());
  for (const std::string& prefix : prefixes) {
    const Status swept = co_await applier.remove_all(prefix, request.version);
    if (!swept.ok()) co_return swept;
  }
  co_return Status();
}

asio::awaitable<Status> run(db::PgReplicationConnection& connection, std::string command) {
  const Result<db::PgResult> done = co_await connection.command(std::move(command));
  co_return done ? Status() : done.error();
}

}  // namespace

asio::awaitable<Result<Loaded>> load_tables(db::PgPool& pool,
                                            db::PgReplicationConnection& connection,
                                            Applier& applier,
                                            LoadRequest request) {
  Status done = co_await declare(applier, request);
  if (!done.ok()) co_return done;
  const Result<bool> dropped = co_await drop_slot(pool, request.source.slot);
  if (!dropped) co_return dropped.error();
  Loaded loaded;
  // Before the snapshot: all that was committed then will be in it.
  loaded.mark.fresh_as_of = request.seen_at;
  done = co_await run(connection, "begin read only isolation level repeatable read");
  if (!done.ok()) co_return done;
  // Neither the slot nor a large table's COPY has a time that can be told beforehand.
  done = co_await run(connection, "set local statement_timeout = 0");
  if (!done.ok()) co_return done;
  Result<Lsn> position =
      co_await create_slot(pool, connection, request.source.slot, request.temporary_slot);
  if (!position) co_return position.error();
  loaded.mark.position = *position;
  for (std::size_t rule = 0; rule < request.rules.size(); ++rule) {
    Result<std::uint64_t> rows = co_await load_table(pool, connection, applier, request, rule);
    if (!rows) co_return rows.error();
    loaded.rows += *rows;
  }
  done = co_await run(connection, "commit");
  if (!done.ok()) co_return done;
  Applier::Seal rest;
  done = co_await applier.flush(std::move(rest));
  if (done.ok()) done = co_await sweep(applier, request);
  if (!done.ok()) co_return done;
  Result<std::int64_t> beat = 0;
  if (!request.temporary_slot) beat = co_await last_heartbeat(pool, request.source.slot);
  if (!beat) co_return beat.error();
  request.source.loaded = true;
  request.source.sweeps.clear();
  Applier::Seal seal;
  seal.mark = loaded.mark;
  seal.beat = *beat;
  seal.sync = true;
  seal.more.emplace_back(put_item(source_key(), encode_source(request.source)));
  seal.more.emplace_back(put_item(rules_key(), encode_rules(owned_prefixes(request.rules))));
  done = co_await applier.flush(std::move(seal));
  if (!done.ok()) co_return done;
  co_return loaded;
}

}  // namespace edged::mirror
